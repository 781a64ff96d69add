// What DNS is asked, what it answers from the cache, and how the upstreams are.

import { Resource, ask, segment } from "./api.js";
import { emptyCache } from "./dialog.js";
import { h, invalidate } from "./dom.js";
import { figures, recent } from "./figures.js";
import { count, duration, latency, octets, rate, share } from "./format.js";
import { badge, button, card, empty, facts, pending, since, table, upstreamBadge } from "./parts.js";
import { Plot } from "./plot.js";

const hits = new Plot("Answered from the cache", [
  { key: "cacheHits", label: "Share of names outside", kind: "accent" },
], share, 1);
const forwarded = new Plot("Sent to upstreams per second", [
  { key: "forwarded", label: "UDP and TCP", kind: "accent" },
], rate, 1);

const failures = { nxdomain: "NXDOMAIN", servfail: "SERVFAIL", refused: "REFUSED" };

export function traffic(_, query) {
  const code = query.get("failures") in failures ? query.get("failures") : "nxdomain";
  const asked = new Resource((signal) => ask("api/v1/queries", { query: { limit: 25 }, signal }), invalidate, 3000);
  asked.reload();

  function render() {
    const status = figures.status;
    const head = h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Traffic"),
      asked.value && h("p", { class: "muted" }, `${count(asked.value.queries)} queries in `,
        duration((Date.now() - Date.parse(asked.value.since)) / 1000)));
    if (!status) return [head, h("p", { class: "muted loading" }, figures.error?.message ?? "Loading …")];
    return [
      head,
      h("div", { class: "plots two" },
        hits.render(share(recent("cacheHits"))), forwarded.render(rate(recent("forwarded")), " /s")),
      h("div", { class: "halves" }, upstreams(status), cache(status)),
      h("div", { class: "halves" }, asking(asked), failing(asked, code)),
    ];
  }

  return {
    title: "Traffic", render, refresh: () => {}, tick: () => asked.reload(), stop: () => asked.stop(),
  };
}

function upstreams({ upstreams: list }) {
  return card("Upstreams", { id: "upstreams", isFlush: true },
    list.length === 0
      ? empty("None are configured.", "Names outside the domain are refused.")
      : table("Upstreams", ["Server", "State", ["Round trip", "end"], ["Queries", "end wide"], ["Lost", "end wide"]],
        list.map((one) => h("tr", { "data-key": one.address },
          h("th", { scope: "row", class: "code" }, one.address),
          h("td", null, one.leads_back ? badge("warning", "leads back here")
            : upstreamBadge(one)),
          h("td", { class: "end" }, latency(one.round_trip_seconds)),
          h("td", { class: "end wide" }, count(one.queries)),
          h("td", { class: "end wide" }, count(one.timeouts + one.errors))))));
}

function cache({ cache: { entries, bytes, hits: found, misses, prefetches, evictions }, forwarding }) {
  return card("Cache", {
    id: "cache", end: button("Empty the cache", () => emptyCache(invalidate), { class: "quiet" }),
  }, facts([
    ["Entries", `${count(entries)}, ${octets(bytes)}`],
    ["Hits", `${count(found)} of ${count(found + misses)}`],
    ["Prefetches", count(prefetches)],
    ["Evictions", count(evictions)],
    ["Stale answers", count(forwarding.stale_answers)],
    ["Failures", count(forwarding.failures)],
  ]));
}

const explainLink = (name, type) =>
  h("a", { class: "code", href: `#/explain?name=${segment(name.replace(/(.)\.$/, "$1"))}&type=${type}` },
    name.replace(/(.)\.$/, "$1"));

function asking(asked) {
  const list = asked.value?.names ?? [];
  return card("Asked most", { id: "asked", isFlush: true },
    !asked.value && pending(asked, "The names can't be listed"),
    asked.value && list.length === 0 && empty("Nothing has been asked yet."),
    list.length > 0 && table("Names asked most", ["Name", ["Types", "wide"], ["Queries", "end"]],
      list.slice(0, 12).map(({ name, queries, types }) => {
        const sorted = Object.entries(types).sort(([, a], [, b]) => b - a).map(([type]) => type);
        return h("tr", { "data-key": name },
          h("th", { scope: "row" }, explainLink(name, sorted[0])),
          h("td", { class: "wide muted" }, sorted.slice(0, 3).join(", ")),
          h("td", { class: "end" }, count(queries)));
      })));
}

function failing(asked, code) {
  const list = asked.value?.[code] ?? [];
  const chips = h("nav", { class: "chips", "aria-label": "Failures" }, Object.entries(failures).map(([key, label]) =>
    h("a", { href: `#/traffic?failures=${key}`, "aria-current": key === code ? "true" : null }, label)));
  return card("Newest failures", { id: "failures", isFlush: true, end: chips },
    !asked.value && pending(asked, "The failures can't be listed"),
    asked.value && list.length === 0 && empty(`No ${failures[code]} lately.`),
    list.length > 0 && table(`Newest ${failures[code]}`,
      ["Name", ["Client", "wide"], ["Times", "end"], ["Last", "end"]],
      list.slice(0, 12).map(({ name, type, client, count: times, time }) =>
        h("tr", { "data-key": `${name} ${type} ${client}` },
          h("th", { scope: "row" }, explainLink(name, type), " ", h("span", { class: "muted" }, type)),
          h("td", { class: "wide code muted" }, client ?? "–"),
          h("td", { class: "end" }, count(times)),
          h("td", { class: "end" }, since(time))))));
}
