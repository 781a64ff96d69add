// One instance: what it is, what its checks have found, what DNS does with it, and what has happened to it.

import { Resource, ask, segment } from "./api.js";
import { deregister, drain, drainAll, endpoint } from "./dialog.js";
import { h, invalidate } from "./dom.js";
import { figures } from "./figures.js";
import { count, duration, moment, timeOfDay } from "./format.js";
import { live } from "./live.js";
import { badge, button, card, empty, facts, pending, reason, since, told } from "./parts.js";

const answerWords = {
  answered: "answered", last_known: "answered as last known", draining: "left out: draining",
  critical: "left out: critical", other_family: "other address family",
  worse_priority: "left out: a better priority is healthy", stands_by: "stands by: weight 0",
  missing: "missing, though it should be there",
};

export function instance([name, id]) {
  const loaded = new Resource(
    (signal) => ask(`api/v1/services/${segment(id)}`, { signal }), invalidate);
  const explained = new Resource(explain, invalidate, 3000);
  loaded.reload();
  explained.reload();

  /** What explain says of this instance; null: nothing, for it lists only the first of a large service. */
  async function explain(signal) {
    const domain = figures.status?.zone.domain;
    if (!domain) return null;
    const answer = await ask("api/v1/explain", { query: { name: `${name}.${domain}` }, signal });
    return answer.instances.find((one) => one.id === id) ?? null;
  }

  function reload() {
    loaded.reload({ atOnce: true });
    explained.reload({ atOnce: true });
  }

  function render() {
    if (figures.status && !explained.value && !explained.error) explained.reload();
    const found = loaded.value;
    const isGone = loaded.error?.status === 404;
    const head = h("div", { class: "page-head" },
      h("nav", { class: "crumbs", "aria-label": "Where this is" },
        h("a", { href: "#/services" }, "Services"), h("span", { "aria-hidden": "true" }, "/"),
        h("a", { href: `#/services/${segment(name)}` }, name)),
      h("h1", { tabindex: "-1" }, h("span", null, id), found && !isGone && badge(found.status)),
      found && !isGone && h("div", { class: "actions" },
        found.status === "draining"
          ? button("Put back", () => drain(found, false, reload)) : button("Drain", () => drain(found, true, reload)),
        button("Deregister", () => deregister(found, reload), { class: "danger-quiet" })));
    if (isGone) {
      return [head, h("div", { class: "card" }, empty("It is not registered any more.", "It may have expired.")),
        history(null, id)];
    }
    if (!found) return [head, pending(loaded, "The instance can't be shown")];
    return [
      head, reason(found) && h("p", { class: `verdict ${found.status}` }, reason(found)),
      h("div", { class: "halves" },
        card("Registration", { id: "registration" }, registration(found, reload)),
        h("div", { class: "stack" },
          card("In DNS", {
            id: "in-dns", end: figures.status?.zone.domain &&
              h("a", { href: `#/explain?name=${segment(`${name}.${figures.status.zone.domain}`)}` }, "Explain"),
          }, inDNS(explained.value)),
          metadata(found))),
      checks(found), history(found, id),
    ];
  }

  return {
    title: id, render,
    refresh: (changed) => (changed.has(name) || changed.has("*")) && reload(),
    stop: () => {
      loaded.stop();
      explained.stop();
    },
  };
}

function registration(found, done) {
  return facts([
    ["Address", h("span", { class: "code" }, endpoint(found)), h("span", { class: "muted" }, ` ${found.protocol}`)],
    ["Host", h("span", { class: "code" }, found.ip), " ", h("span", { class: "inline-actions" },
      button("Drain host", () => drainAll({ ip: found.ip }, true, done), { class: "quiet" }),
      button("Put host back", () => drainAll({ ip: found.ip }, false, done), { class: "quiet" }))],
    ["Weight", `${count(found.weight)}, priority ${count(found.priority)}`],
    found.tags.length > 0 && ["Tags",
      h("span", { class: "tags" }, found.tags.map((tag) => h("span", { class: "tag" }, tag)))],
    ["Time to live", found.ttl ? `${duration(found.ttl)} without a heartbeat` : "permanent"],
    ["TTL in DNS", duration(found.dns_ttl)],
    ["Registered", since(found.registered_at)],
    found.ttl > 0 && ["Last heartbeat", since(found.last_heartbeat)],
    found.expires_at && ["Expires", since(found.expires_at)],
  ]);
}

function inDNS(explained) {
  if (!explained) return h("p", { class: "muted" }, "Nothing is known yet.");
  return [
    h("ul", { class: "answers" }, Object.entries(explained.answers).map(([type, why]) => h("li", null,
      h("b", null, type),
      badge(why === "answered" || why === "last_known" ? "passing" : why === "missing" ? "critical" : "neutral",
        answerWords[why] ?? why)))),
    explained.notes.length > 0 && h("ul", { class: "notes" }, explained.notes.map(({ source, text, until }) =>
      h("li", null, h("b", null, source), h("span", null, text, until && [", ", since(until)])))),
  ];
}

function checks({ checks: list }) {
  if (!list.length) {
    return card("Checks", { id: "checks" },
      h("p", { class: "muted" }, "It has none: it passes for as long as it is registered."));
  }
  return card("Checks", { id: "checks", isFlush: true }, h("ul", { class: "rows" }, list.map((check) =>
    h("li", { "data-key": check.name },
      badge(check.status),
      h("span", { class: "what" },
        h("span", { class: "who" }, h("b", null, check.name), " ", h("span", { class: "muted" }, how(check))),
        h("span", { class: "why" }, check.output || (check.checked_at ? null : "It has not run yet."))),
      h("span", { class: "when" }, check.checked_at ? since(check.checked_at) : null,
        check.duration_ms !== null && check.type !== "ttl"
          && h("span", { class: "sub" }, `took ${check.duration_ms} ms`))))));
}

const how = ({ type, interval, ttl, path }) =>
  [type, path, type === "ttl" ? `reported within ${ttl}` : `every ${interval}`].filter(Boolean).join(" · ");

function metadata({ metadata: pairs }) {
  const list = Object.entries(pairs);
  return card("Metadata", { id: "metadata" },
    list.length ? facts(list.map(([key, value]) => [key, value || "“”"])) : h("p", { class: "muted" }, "None."));
}

/** What was seen of it: events of this tab, and what its checks and its registration still tell of earlier. */
function history(found, id) {
  const seen = live.events.filter((event) => event.instance?.id === id).slice(0, 100).map((event) => ({
    key: event.key, time: event.time, ...told(event),
  }));
  const earlier = [];
  if (found) {
    for (const check of found.checks) {
      if (check.checked_at || check.status !== "passing") {
        earlier.push({ key: `check-${check.name}`, time: check.since, kind: check.status, word: check.status,
          why: `check ${check.name}: so ever since` });
      }
    }
    earlier.push({
      key: "registered", time: found.registered_at, kind: "passing", word: "registered",
      why: "with this id, the first time",
    });
  }
  const known = [...seen, ...earlier.filter(({ time, key }) =>
    !seen.some((event) => Math.abs(Date.parse(event.time) - Date.parse(time)) < 1000 && key !== event.key))]
    .sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
  return card("History", { id: "history", isFlush: true }, known.length
    ? h("ol", { class: "events" }, known.map(({ key, time, kind, word, why }) => h("li", { "data-key": key },
      h("time", { datetime: time, title: moment(time) },
        Date.now() - Date.parse(time) < 86_400_000 ? timeOfDay(time) : since(time)),
      badge(kind, word), h("span", { class: "what" }, h("span", { class: "why" }, why)))))
    : empty("Nothing is known of it."));
}
