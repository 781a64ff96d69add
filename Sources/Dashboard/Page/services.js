// All services: searched, filtered, and shown by the page, so that any number of them is as quick.

import { h, invalidate } from "./dom.js";
import { count, counted } from "./format.js";
import { filters, find, maximumNames, names } from "./names.js";
import { bar, empty, pager, pending, table, verdict } from "./parts.js";
import { segment } from "./api.js";

const pageLength = 50;
// It is as it was when one comes back.
const state = { text: "", page: 0 };

export function services(_, query) {
  const filter = query.get("filter") ?? "all";
  state.page = 0;
  names.reload();

  function search(text) {
    state.text = text;
    state.page = 0;
    invalidate();
  }

  function render() {
    const loaded = names.value;
    const found = loaded ? find(loaded.list, state.text, filter) : [];
    const last = Math.max(0, Math.ceil(found.length / pageLength) - 1);
    state.page = Math.min(state.page, last);
    const shown = found.slice(state.page * pageLength, (state.page + 1) * pageLength);
    return [
      h("div", { class: "page-head" },
        h("h1", { tabindex: "-1" }, "Services"),
        h("p", { class: "muted", role: "status" }, loaded ? summary(found.length, loaded.list.length) : "")),
      h("div", { class: "tools" },
        h("div", { class: "search" },
          h("label", { for: "search", class: "unseen" }, "Search services by name"),
          h("input", {
            id: "search", type: "search", placeholder: "Search by name", autocomplete: "off", spellcheck: "false",
            value: state.text, oninput: (event) => search(event.target.value), "aria-keyshortcuts": "/",
          }),
          h("kbd", { "aria-hidden": "true" }, "/")),
        h("nav", { class: "chips", "aria-label": "Filter" },
          Object.entries(filters).map(([key, { label, matches }]) => h("a", {
            href: key === "all" ? "#/services" : `#/services?filter=${key}`,
            "aria-current": key === filter ? "true" : null,
          }, label, loaded && h("span", { class: "number" }, count(loaded.list.filter(matches).length)))))),
      loaded && !loaded.isComplete && h("p", { class: "hint" },
        `There are more than ${count(maximumNames)} services. Those beyond are not searched here; open them by their
        address, #/services/name.`),
      !loaded && pending(names, "The services can't be listed"),
      loaded && found.length === 0 && h("div", { class: "card" }, nothing(loaded.list.length)),
      shown.length > 0 && h("div", { class: "card flush" },
        table("Services", ["Service", "Status", ["Instances", "end wide"],
          [h("span", { class: "unseen" }, "Shares of the statuses"), "wide"]], shown.map((name) =>
          h("tr", { "data-key": name.name, class: "opens" },
            h("th", { scope: "row" }, h("a", { href: `#/services/${segment(name.name)}` }, name.name)),
            h("td", null, verdict(name)),
            h("td", { class: "end wide" }, count(name.total)),
            h("td", { class: "wide bar-cell" }, bar(name)))))),
      found.length > pageLength && pager("Pages of services",
        `${count(state.page * pageLength + 1)}–${count(state.page * pageLength + shown.length)}`,
        state.page > 0 ? () => turn(-1) : null, state.page < last ? () => turn(1) : null),
    ];
  }

  function turn(step) {
    state.page += step;
    invalidate();
    scrollTo({ top: 0 });
  }

  const summary = (found, all) =>
    found === all ? counted(all, "service") : `${count(found)} of ${counted(all, "service")}`;

  function nothing(all) {
    if (all === 0) return empty("Nothing is registered yet.", "Instances appear here as they register.");
    const hint = filter === "all" ? null : "The filter is on, too.";
    if (state.text) return empty(`No service matches “${state.text}”.`, hint);
    return empty("No service is like that.");
  }

  return { title: "Services", render, refresh: (changed) => changed.size && names.reload(), stop: () => {} };
}
