// One service: its instances page by page, what DNS answers, and what has happened.

import { Resource, ask, segment } from "./api.js";
import { addressClass, drain, drainAll, endpoint } from "./dialog.js";
import { h, invalidate } from "./dom.js";
import { figures } from "./figures.js";
import { count, counted } from "./format.js";
import { live } from "./live.js";
import {
  badge, button, card, empty, eventList, instancePath, pager, pending, reason, since, statuses, table,
} from "./parts.js";

const pageLength = 50;

export function service([name], query) {
  const status = query.get("status") ?? "";
  // The cursors of the pages up to the one that is shown.
  const cursors = [""];
  const page = new Resource(loadPage, invalidate);
  const answers = new Resource(loadAnswers, invalidate, 3000);
  page.reload();
  answers.reload();

  function loadPage(signal) {
    return ask("api/v1/services", { query: { name, status, limit: pageLength, cursor: cursors.at(-1) }, signal });
  }

  /** What DNS answers; nothing until its domain is known. */
  async function loadAnswers(signal) {
    const domain = figures.status?.zone.domain;
    return domain ? ask("api/v1/explain", { query: { name: `${name}.${domain}` }, signal }) : null;
  }

  function reload() {
    page.reload({ atOnce: true });
    answers.reload({ atOnce: true });
  }

  function turn(step) {
    if (step > 0) cursors.push(page.value.next_cursor);
    else cursors.pop();
    page.reload({ atOnce: true });
  }

  function render() {
    const domain = figures.status?.zone.domain;
    if (domain && !answers.value) answers.reload();
    const list = page.value?.services ?? [];
    return [
      h("div", { class: "page-head" },
        h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/services" }, "Services")),
        h("h1", { tabindex: "-1" }, name),
        h("div", { class: "actions" },
          button("Put all back", () => drainAll({ name }, false, reload)),
          button("Drain all", () => drainAll({ name }, true, reload)))),
      answers.value && inDNS(answers.value),
      h("section", { class: "card flush", "aria-labelledby": "instances" },
        h("div", { class: "card-head" }, h("h2", { id: "instances" }, "Instances"),
          h("nav", { class: "chips", "aria-label": "Filter" }, ["", ...statuses].map((key) => h("a", {
            href: `#/services/${segment(name)}${key && `?status=${key}`}`,
            "aria-current": key === status ? "true" : null,
          }, key ? key[0].toUpperCase() + key.slice(1) : "All")))),
        !page.value && pending(page, "The instances can't be listed"),
        page.value && list.length === 0 && empty(status ? `No instance is ${status}.` : "No instance is registered."),
        list.length > 0 && instanceTable(list, reload),
        (cursors.length > 1 || page.value?.next_cursor) && pager("Pages of instances", `Page ${count(cursors.length)}`,
          cursors.length > 1 ? () => turn(-1) : null, page.value?.next_cursor ? () => turn(1) : null)),
      history(name),
    ];
  }

  return {
    title: name, render,
    refresh: (changed) => {
      if (!changed.has(name) && !changed.has("*")) return;
      page.reload();
      answers.reload();
    },
    stop: () => {
      page.stop();
      answers.stop();
    },
  };
}

function instanceTable(list, reload) {
  return table("Instances", ["Instance", "Status", ["Tags", "wide"], ["Weight", "end wide"], ["Last heartbeat", "wide"],
    [h("span", { class: "unseen" }, "Actions"), "end wide"]], list.map((instance) =>
    h("tr", { "data-key": instance.id },
      h("th", { scope: "row" },
        h("a", { href: instancePath(instance), class: addressClass(instance) }, endpoint(instance)),
        h("span", { class: "sub code" }, instance.id)),
      h("td", null, badge(instance.status), h("span", { class: "sub" }, reason(instance))),
      h("td", { class: "wide" }, h("span", { class: "tags" }, instance.tags.slice(0, 4).map((tag) =>
        h("span", { class: "tag" }, tag)), instance.tags.length > 4 && ` and ${instance.tags.length - 4} more`)),
      h("td", { class: "end wide" }, count(instance.weight)),
      h("td", { class: "wide" }, since(instance.last_heartbeat)),
      h("td", { class: "end wide" }, drainButton(instance, reload)))));
}

function drainButton(instance, reload) {
  const isDraining = instance.status === "draining";
  const text = isDraining ? "Put back" : "Drain";
  return button(text, () => drain(instance, !isDraining, reload), {
    class: "quiet", "aria-label": `${text} ${instance.id}`,
  });
}

/** What DNS says of the service, and what has a say in that. */
function inDNS(explanation) {
  return card("In DNS", {
    id: "in-dns", end: h("a", { href: `#/explain?name=${segment(explanation.name)}` }, "Explain"),
  },
  h("p", { class: "dns-name code" }, explanation.name.replace(/\.$/, "")),
  h("ul", { class: "answers" }, explanation.answers.map((answer) =>
    h("li", null,
      h("b", null, answer.type),
      answerBadge(answer),
      h("span", { class: "muted" }, answer.why)))),
  notes(explanation));
}

function answerBadge({ code, record_count: records }) {
  if (code !== "NOERROR") return badge("critical", code);
  return records ? badge("passing", counted(records, "record")) : badge("neutral", "no data");
}

/** What policies, brakes and times of grace have to say. */
export function notes({ notes: list, grace_ends_at: grace, last_known: lastKnown }) {
  const found = list.map(({ source, text, until }) => [source, text, until]);
  if (grace) found.push(["grace", "the last healthy instance has gone: SERVFAIL until this is over", grace]);
  if (lastKnown) found.push(["last known", "answered with the last known instances", lastKnown.until]);
  return found.length > 0 && h("ul", { class: "notes" }, found.map(([source, text, until]) =>
    h("li", null, h("b", null, source), h("span", null, text, until && [", ", since(until)]))));
}

function history(name) {
  const events = live.events.filter((event) => event.name === name).slice(0, 50);
  return card("History", {
    id: "history", isFlush: true, end: h("span", { class: "muted" }, "since this page was opened"),
  },
    events.length ? eventList(events) : empty("Nothing has changed yet.", "Changes appear here as they happen."));
}
