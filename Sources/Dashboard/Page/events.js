// The changes as they happen, all or of some services.

import { h, invalidate } from "./dom.js";
import { count, counted, timeOfDay } from "./format.js";
import { keptEvents, live } from "./live.js";
import { badge, button, empty, eventList, told } from "./parts.js";

const shownEvents = 200;

const states = {
  off: ["neutral", "Not listening"], connecting: ["neutral", "Connecting"], live: ["passing", "Live"],
  lost: ["critical", "Disconnected, trying again"],
};

export function events() {
  let text = "";
  // What is shown while it is held.
  let held = null;

  function hold() {
    held = held ? null : [...live.events];
    invalidate();
  }

  function render() {
    const wanted = text.trim().toLowerCase();
    const found = (held ?? live.events).filter((event) => !wanted || event.name?.includes(wanted)
      || told(event).word.includes(wanted) || event.instance?.id.toLowerCase().includes(wanted));
    const [kind, state] = held ? ["warning", "Paused"] : states[live.state];
    return [
      h("div", { class: "page-head" },
        h("h1", { tabindex: "-1" }, "Events"),
        h("p", { class: "muted" }, badge(kind, state),
          live.since && [" · ", `${counted(live.total, "change")} since ${timeOfDay(live.since)}`])),
      h("div", { class: "tools" },
        h("div", { class: "search" },
          h("label", { for: "search", class: "unseen" }, "Show events of a service, an instance or a kind"),
          h("input", {
            id: "search", type: "search", placeholder: "Service, instance or kind", autocomplete: "off",
            spellcheck: "false", value: text, "aria-keyshortcuts": "/", oninput: (event) => {
              text = event.target.value;
              invalidate();
            },
          }),
          h("kbd", { "aria-hidden": "true" }, "/")),
        button("Pause", hold, { "aria-pressed": held ? "true" : "false" })),
      live.hasGap && h("p", { class: "hint" },
        "Some changes went by that are not shown here: there were too many at once."),
      found.length > shownEvents && h("p", { class: "hint" },
        `The newest ${shownEvents} of ${count(Math.min(found.length, keptEvents))} are shown.`),
      h("div", {
        class: "card flush", role: "log", "aria-label": "Events", "aria-live": found.length > 50 ? "off" : "polite",
      },
        found.length
          ? eventList(found.slice(0, shownEvents))
          : empty(wanted ? "No event matches." : "Nothing has changed yet.", "Changes appear here as they happen.")),
    ];
  }

  return { title: "Events", render, refresh: () => {}, stop: () => {} };
}
