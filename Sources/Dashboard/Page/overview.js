// What an operator looks at first: how much there is, how DNS does, and what needs somebody.

import { Resource, instances } from "./api.js";
import { h, invalidate } from "./dom.js";
import { figures, recent } from "./figures.js";
import { count, duration, latency, rate } from "./format.js";
import { live } from "./live.js";
import { badge, bar, card, empty, eventList, instanceLink, reason, serviceLink, since, statuses } from "./parts.js";
import { Plot } from "./plot.js";

const queries = new Plot("Queries per second", [{ key: "queries", label: "UDP and TCP", kind: "accent" }], rate, 1);
const times = new Plot("Latency of answers", [
  { key: "slowest", label: "p99", kind: "accent" }, { key: "median", label: "p50", kind: "second" },
], latency, 0.00001);
const errors = new Plot("Errors per second", [
  { key: "servfail", label: "SERVFAIL", kind: "critical" }, { key: "refused", label: "REFUSED", kind: "warning" },
  { key: "nxdomain", label: "NXDOMAIN", kind: "draining" },
], rate, 1);

const shownTroubles = 8;

export function overview() {
  const troubles = new Resource(loadTroubles, invalidate, 2000);
  let known = "";

  /** Those that are not passing, the worst first. */
  async function loadTroubles(signal) {
    const found = [];
    for (const status of ["critical", "warning", "draining"]) {
      const wanted = shownTroubles - found.length;
      if (!figures.status?.instances[status] || wanted <= 0) continue;
      found.push(...(await instances({ status }, wanted, signal)).found);
    }
    return found;
  }

  function render() {
    const { status, error } = figures;
    if (!status) {
      return [heading(null), h("p", { class: error ? "problem" : "muted loading" }, error?.message ?? "Loading …")];
    }
    const numbers = statuses.map((name) => status.instances[name]).join();
    if (numbers !== known) {
      known = numbers;
      troubles.reload();
    }
    const failing = recent("servfail") === null ? null
      : recent("servfail") + recent("refused") + recent("nxdomain");
    return [
      heading(status), alarms(status), registry(status),
      h("div", { class: "plots" },
        queries.render(rate(recent("queries")), " /s"),
        times.render(latency(recent("slowest")), recent("slowest") === null ? null : " p99"),
        errors.render(rate(failing), " /s")),
      h("div", { class: "halves" },
        card("Needs attention", { id: "troubles", isFlush: true, end: more(status) }, attention(status)),
        card("Latest changes", { id: "changes", isFlush: true, end: h("a", { href: "#/events" }, "All events") },
          live.events.length
            ? eventList(live.events.slice(0, shownTroubles))
            : empty("Nothing has changed", "since this page was opened."))),
    ];
  }

  function attention(status) {
    const bad = status.instances.total - status.instances.passing;
    if (!bad) return empty(status.instances.total ? "Everything is passing." : "Nothing is registered yet.");
    if (!troubles.value) return h("p", { class: "muted loading" }, "Loading …");
    return h("ul", { class: "rows" }, troubles.value.map((instance) =>
      h("li", { "data-key": instance.id },
        badge(instance.status),
        h("span", { class: "what" },
          h("span", { class: "who" }, serviceLink(instance.name), " ", instanceLink(instance)),
          h("span", { class: "why" }, reason(instance))),
        h("span", { class: "when" }, changedAt(instance) && since(changedAt(instance))))));
  }

  return {
    title: "Overview", render, stop: () => troubles.stop(),
    refresh: (changed) => changed.size && troubles.reload(),
  };
}

/** Since when a check says so; null: no check does. */
const changedAt = ({ status, checks }) => checks.find((check) => check.status === status)?.since ?? null;

const more = ({ instances: { total, passing } }) =>
  total - passing > shownTroubles && h("span", { class: "muted" }, `${shownTroubles} of ${count(total - passing)}`);

const heading = (status) => h("div", { class: "page-head" },
  h("h1", { tabindex: "-1" }, "Overview"),
  status && h("p", { class: "muted" },
    `${status.zone.domain ?? "DNS"} · kept in ${status.storage.type} · up ${duration(status.uptime_seconds)}`));

/** What the server itself warns of. */
function alarms(status) {
  const found = Object.entries(status.health.checks).filter(([, part]) => part.status !== "pass").map(([name, part]) =>
    [part.status === "fail" ? "critical" : "warning", name, part.message]);
  for (const brake of status.brakes.oldest) found.push(["warning", brake.name, brake.reason]);
  return found.length > 0 && h("ul", { class: "alarms", "aria-label": "Warnings" }, found.map(([kind, name, text]) =>
    h("li", { class: kind }, badge(kind, name), h("span", null, text))));
}

function registry({ services, instances: numbers }) {
  const figure = (label, number, href, kind) => h("li", null,
    h("a", { href, class: number ? kind : null },
      h("span", { class: "figure-name" }, label), h("b", null, count(number))));
  return h("section", { class: "card registry", "aria-label": "Registry" },
    h("ul", { class: "figures" },
      figure("Services", services, "#/services"),
      figure("Instances", numbers.total, "#/services"),
      figure("Passing", numbers.passing, "#/services", "passing"),
      figure("Warning", numbers.warning, "#/services?filter=warning", "warning"),
      figure("Critical", numbers.critical, "#/services?filter=critical", "critical"),
      figure("Draining", numbers.draining, "#/services?filter=draining", "draining")),
    bar(numbers));
}
