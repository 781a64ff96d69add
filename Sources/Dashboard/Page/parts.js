// Pieces that several views show.

import { h } from "./dom.js";
import { endpoint } from "./dialog.js";
import { ago, count, moment, timeOfDay } from "./format.js";
import { segment } from "./api.js";

/** The statuses from the best to the worst, with their words. */
export const statuses = ["passing", "warning", "critical", "draining"];

/** A button. */
export const button = (text, onclick, attributes) => h("button", { type: "button", onclick, ...attributes }, text);

/** A status, or any state that looks like one. */
export const badge = (status, text = status) => h("span", { class: `badge ${status}` }, text);

/** A moment as the time that has passed; the moment itself is its title. */
export const since = (time) => (time ? h("time", { datetime: time, title: moment(time) }, ago(time)) : "–");

export const serviceLink = (name) => h("a", { href: `#/services/${segment(name)}` }, name);

export const instancePath = ({ name, id }) => `#/services/${segment(name)}/${segment(id)}`;

export const instanceLink = (instance) => h("a", { href: instancePath(instance), class: "code" }, instance.id);

/** Why an instance has its status, in a few words; null: there is nothing to say. */
export function reason(instance) {
  if (instance.status === "draining") return "taken out of DNS";
  if (instance.status === "passing") return null;
  const check = instance.checks.find(({ status }) => status === instance.status);
  return check ? `${check.name}: ${check.output || check.status}` : null;
}

/** How a service's instances are, as a bar; words say the same. */
export function bar(name) {
  let place = 0;
  const total = statuses.reduce((sum, status) => sum + name[status], 0);
  const look = { class: "bar-of-statuses", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" };
  return h("svg", look,
    h("rect", { class: "empty", width: 100, height: 6 }),
    statuses.filter((status) => name[status] > 0).map((status) => {
      const width = (100 * name[status]) / total;
      const rect = h("rect", { class: status, x: place, width, height: 6 });
      place += width;
      return rect;
    }));
}

/** The worst that is to be said about a service. */
export function verdict(name) {
  const total = name.passing + name.warning + name.critical + name.draining;
  const healthy = name.passing + name.warning;
  const worst = name.critical ? "critical" : name.warning ? "warning" : name.draining ? "draining" : "passing";
  const text = healthy === total ? `${count(total)} healthy` : `${count(healthy)} of ${count(total)} healthy`;
  return badge(worst, text);
}

const words = {
  registered: "registered", updated: "changed", deregistered: "deregistered", expired: "expired", policy: "policy",
};
const kinds = {
  registered: "passing", updated: "neutral", deregistered: "neutral", expired: "critical", policy: "neutral",
};

/** What an event says: its look, its word and its reason. */
export function told(event) {
  const isStatus = event.type === "status";
  const status = event.instance?.status;
  let why = { request: "by request", expired: "no heartbeat came", another_node: "by another node",
    brake: `brake: ${event.detail}`, check: `check ${event.detail}`, filter: "filter" }[event.reason] ?? event.reason;
  if (event.type === "policy") why = event.policy ? `set ${why}` : `removed ${why}`;
  const output = event.reason === "check" && event.instance?.checks.find(({ name }) => name === event.detail)?.output;
  return {
    kind: isStatus ? status : kinds[event.type], word: isStatus ? status : words[event.type] ?? event.type,
    why: output ? `${why}: ${output}` : why,
  };
}

/** A list of events, the newest first. */
export function eventList(events, { hasInstance = true } = {}) {
  return h("ol", { class: "events" }, events.map((event) => {
    const { kind, word, why } = told(event);
    const instance = event.instance;
    return h("li", { "data-key": event.key },
      h("time", { datetime: event.time, title: moment(event.time) }, timeOfDay(event.time)),
      badge(kind, word),
      h("span", { class: "what" },
        hasInstance && h("span", { class: "who" },
          serviceLink(event.name), instance && [" ", h("span", { class: "code muted" }, endpoint(instance))], " "),
        h("span", { class: "why" }, why)));
  }));
}

/** Facts by name; those without a value are left out. */
export const facts = (list) => h("dl", { class: "facts" },
  list.filter((fact) => fact && fact[1] !== null && fact[1] !== "").map(([name, ...value]) =>
    h("div", null, h("dt", null, name), h("dd", null, value))));

/** A card with a heading. */
export const card = (title, { id, end, isFlush } = {}, ...children) =>
  h("section", { class: isFlush ? "card flush" : "card", "aria-labelledby": id },
    h("div", { class: "card-head" }, h("h2", { id }, title), end), children);

/** A table; the columns are texts, or a text and a class. It can be scrolled sideways where it is too wide. */
export const table = (caption, columns, rows) =>
  h("table", null, h("caption", { class: "unseen" }, caption),
    h("thead", null, h("tr", null, columns.map((column) =>
      h("th", { scope: "col", class: Array.isArray(column) ? column[1] : null },
        Array.isArray(column) ? column[0] : column)))),
    h("tbody", null, rows));

/** A sentence in place of what is not there. */
export const empty = (text, more) =>
  h("div", { class: "empty-state" }, h("p", null, text), more && h("p", { class: "muted" }, more));

/** Turns the pages of a list; a step that is null can't be made. */
export const pager = (label, text, previous, next) => h("nav", { class: "pages", "aria-label": label },
  button("Previous", previous, { "aria-disabled": !previous && "true" }),
  h("span", null, text),
  button("Next", next, { "aria-disabled": !next && "true" }));

/** Whether an upstream answers. */
export const upstreamBadge = ({ health }) =>
  health === "pass" ? badge("passing", "answers") : badge("critical", "fails");

/** What stands in for something that is loaded; or why it could not be. */
export function pending(resource, what) {
  if (resource.error) return h("p", { class: "problem", role: "alert" }, `${what}: ${resource.error.message}`);
  return h("p", { class: "muted loading" }, "Loading …");
}
