// Why a name is answered as it is.

import { Resource, ask } from "./api.js";
import { endpoint } from "./dialog.js";
import { h, invalidate } from "./dom.js";
import { figures } from "./figures.js";
import { count, counted, duration } from "./format.js";
import { badge, card, empty, instancePath, pending, since, table, upstreamBadge } from "./parts.js";
import { notes } from "./service.js";
import { segment } from "./api.js";

const types = ["", "A", "AAAA", "SRV", "CNAME", "MX", "NS", "PTR", "SOA", "TXT"];
const shownInstances = 100;

export function explain(_, query) {
  const name = query.get("name") ?? "";
  const type = query.get("type") ?? "";
  const load = (signal) => ask("api/v1/explain", { query: { name, type }, signal });
  const found = name ? new Resource(load, invalidate, 3000) : null;
  found?.reload();
  // What is typed and chosen, until it is asked for.
  const draft = { name, type };

  function submit(event) {
    event.preventDefault();
    let wanted = draft.name.trim();
    const domain = figures.status?.zone.domain;
    // A service's own name is enough.
    if (wanted && !wanted.includes(".") && domain) wanted = `${wanted}.${domain}`;
    const target = `#/explain?name=${segment(wanted)}&type=${draft.type}`;
    if (location.hash === target) found?.reload({ atOnce: true });
    else location.hash = target;
  }

  function render() {
    return [
      h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Explain"),
        h("p", { class: "muted" }, "Why a name is answered as it is, asked of the DNS workers themselves.")),
      h("form", { class: "tools", onsubmit: submit, role: "search", "aria-label": "Explain a name" },
        h("div", { class: "search" },
          h("label", { for: "search", class: "unseen" }, "Name"),
          h("input", {
            id: "search", type: "text", value: draft.name, autocomplete: "off", spellcheck: "false",
            autocapitalize: "off", required: true, "aria-keyshortcuts": "/",
            oninput: (event) => (draft.name = event.target.value),
            placeholder: `orders.${figures.status?.zone.domain ?? "service.kong"}`,
          }),
          h("kbd", { "aria-hidden": "true" }, "/")),
        h("label", { for: "type", class: "unseen" }, "Type"),
        h("select", { id: "type", value: draft.type, onchange: (event) => (draft.type = event.target.value) },
          (types.includes(type) ? types : [...types, type]).map((one) =>
            h("option", { value: one }, one || "Usual types"))),
        h("button", { type: "submit", class: "main" }, "Explain")),
      found && !found.value && pending(found, "It can't be explained"),
      found?.value && result(found.value),
      !found && h("div", { class: "card" },
        empty("Ask for any name.", "A service, a tag of one, a protocol name, an address, or a name outside.")),
    ];
  }

  return { title: "Explain", render, refresh: () => found?.reload(), stop: () => found?.stop() };
}

function result(found) {
  return [
    h("p", { class: "explained" }, h("b", { class: "code" }, found.name), h("span", { class: "tag" }, found.kind),
      found.client && h("span", { class: "muted" }, `for ${found.client}`)),
    notes(found),
    found.answers.map(answer),
    instancesOf(found),
    found.nearest.length > 0 && card("Almost this name", { id: "nearest" }, h("ul", { class: "tags" },
      found.nearest.map((name) => h("li", { class: "tag" },
        h("a", { href: `#/explain?name=${segment(name)}` }, name))))),
    found.upstreams.length > 0 && card("Upstreams", { id: "upstreams", isFlush: true },
      table("Upstreams", ["Server", "State", "Last failure"], found.upstreams.map((one) =>
        h("tr", { "data-key": one.address },
          h("th", { scope: "row", class: "code" }, one.address),
          h("td", null, upstreamBadge(one)),
          h("td", null, one.last_failure ? [`${one.last_failure}, `, since(one.failed_at)] : "none"))))),
  ];
}

function answer(one) {
  const id = `answer-${one.type}`;
  const kind = one.code === null ? "neutral" : one.code === "NOERROR" ? "passing" : "critical";
  return card(one.type, { id, isFlush: true, end: badge(kind, one.code ?? "not known yet") },
    h("p", { class: "why-line" }, one.why, one.truncated_over_udp && h("span", { class: "muted" },
      " Over UDP without EDNS it is cut short: the client asks again over TCP.")),
    cached(one),
    one.records.length > 0 && h("div", {
      class: "scrolls records", tabindex: "0", role: "region", "aria-label": `Records of type ${one.type}`,
    }, table(`Records of type ${one.type}`, ["Name", ["TTL", "end"], "Type", "Data", ["Section", "end wide"]],
      one.records.slice(0, shownInstances).map((record) => h("tr", null,
        h("td", { class: "code" }, record.name),
        h("td", { class: "end" }, record.ttl), h("td", null, record.type),
        h("td", { class: "code" }, record.data), h("td", { class: "muted end wide" }, record.section))))),
    one.records.length > shownInstances && h("p", { class: "why-line muted" },
      `The first ${shownInstances} of ${counted(one.records.length, "record")} are shown.`));
}

function cached({ cache, failed_at: failedAt, recursion_allowed: isAllowed, source }) {
  const lines = [];
  if (cache) {
    lines.push(`In the cache for ${duration(cache.age_seconds)}: ${cache.code}, ${cache.stale
      ? `expired, usable for ${duration(cache.usable_seconds)} if upstreams fail`
      : `fresh for ${duration(cache.ttl_seconds)}`}.`);
  }
  if (!isAllowed && ["cache", "upstream", "none"].includes(source)) {
    lines.push("This client may not resolve names outside.");
  }
  return [
    lines.map((line) => h("p", { class: "why-line muted" }, line)),
    failedAt && h("p", { class: "why-line muted" }, "No upstream answered it ", since(failedAt), "."),
  ];
}

const reasons = {
  answered: "answered", last_known: "last known", draining: "draining", critical: "critical",
  other_family: "other family", worse_priority: "worse priority", stands_by: "stands by", missing: "missing",
};

function instancesOf(found) {
  if (!found.service || !found.instances_total) return null;
  const asked = found.answers.map(({ type }) => type);
  const shown = found.instances.slice(0, shownInstances);
  const hasReasons = shown.some((one) => because(one).some(Boolean));
  const columns = ["Instance", "Status", ...asked, ...(hasReasons ? ["Because"] : [])];
  return card("Instances", {
    id: "instances", isFlush: true, end: h("span", { class: "muted" }, shown.length < found.instances_total
      ? `${count(shown.length)} of ${count(found.instances_total)}` : counted(found.instances_total, "instance")),
  }, h("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Instances of the name" },
    table("Instances of the name", columns, shown.map((one) =>
      h("tr", { "data-key": one.id },
        h("th", { scope: "row" }, h("a", {
          class: "code", href: one.status === "expired" ? null : instancePath({ name: found.service, id: one.id }),
        }, endpoint(one)), h("span", { class: "sub code" }, one.id)),
        h("td", null, badge(one.status === "expired" ? "critical" : one.status, one.status)),
        asked.map((type) => {
          const why = one.answers[type];
          const isThere = why === "answered" || why === "last_known";
          return h("td", null, why ? badge(isThere ? "passing" : "neutral", reasons[why] ?? why) : "–");
        }),
        hasReasons && h("td", null, because(one)))))));
}

function because({ status, since: from, checks, notes: list }) {
  const check = checks.find((one) => one.status === status);
  return [
    check && status !== "passing" && `${check.name}: ${check.output || check.status}`,
    from && status !== "passing" && h("span", { class: "sub" }, since(from)),
    ...list.map(({ text }) => h("span", { class: "sub" }, text)),
  ];
}
