// Begins: draws what the address names, and keeps it up to date.

import { hasToken, session, useToken } from "./api.js";
import { announce, drawWith, h, invalidate, patch } from "./dom.js";
import { events } from "./events.js";
import { explain } from "./explain.js";
import { figures, forgetFigures, watchFigures } from "./figures.js";
import { instance } from "./instance.js";
import { follow, live, onChange, unfollow } from "./live.js";
import { forgetNames } from "./names.js";
import { overview } from "./overview.js";
import { badge } from "./parts.js";
import { service } from "./service.js";
import { services } from "./services.js";
import { refuse, signIn } from "./signin.js";
import { traffic } from "./traffic.js";

const pages = [
  ["", "Overview", overview], ["services", "Services", services], ["traffic", "Traffic", traffic],
  ["events", "Events", events], ["explain", "Explain", explain],
];

const main = document.getElementById("main");
let view = null;
let page = "";
let isRefused = false;

/** The view that the address names. */
function viewOfAddress() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const words = path.split("/").filter(Boolean);
  let parts;
  try {
    parts = words.map(decodeURIComponent);
  } catch {
    parts = [];
  }
  const parameters = new URLSearchParams(query);
  page = pages.some(([key]) => key === parts[0]) ? parts[0] : "";
  if (page === "services" && parts.length === 2) return service(parts.slice(1), parameters);
  if (page === "services" && parts.length === 3) return instance(parts.slice(1), parameters);
  return pages.find(([key]) => key === page)[2](parts, parameters);
}

function go({ isFirst = false } = {}) {
  view?.stop();
  const before = page;
  view = isRefused ? signIn() : viewOfAddress();
  draw();
  scrollTo({ top: 0 });
  // A chip that was chosen keeps the focus; a new page begins at its heading.
  const isSame = before === page && main.contains(document.activeElement) && document.activeElement !== main;
  if (!isFirst && (!isSame || !document.activeElement.closest(".chips"))) main.querySelector("h1")?.focus();
}

function draw() {
  document.title = `${view.title} – kong-discovery`;
  patch(document.getElementById("nav"), !isRefused && h("ul", null, pages.map(([key, label]) =>
    h("li", null, h("a", { href: `#/${key}`, "aria-current": key === page ? "page" : null }, label)))));
  patch(document.getElementById("state"), !isRefused && state());
  document.getElementById("sign-out").hidden = isRefused || !hasToken();
  patch(main, view.render());
}

/** How the server is, and whether this page hears from it. */
function state() {
  if (live.state === "lost" || figures.error?.status === 0) return badge("critical", "Disconnected");
  if (!figures.status) return badge("neutral", "Connecting");
  const badges = { pass: ["passing", "Healthy"], warn: ["warning", "Warning"], fail: ["critical", "Failing"] };
  return badge(...badges[figures.status.health.status]);
}

function begin() {
  isRefused = false;
  watchFigures();
  follow();
}

function end(reason) {
  if (isRefused) return;
  isRefused = true;
  refuse(reason);
  unfollow();
  forgetFigures();
  forgetNames();
  go();
  document.getElementById("token").focus();
}

drawWith(() => {
  view.tick?.();
  draw();
});
addEventListener("hashchange", () => go());
onChange((changed) => {
  view.refresh(changed);
  invalidate();
});

session.addEventListener("refused", ({ detail }) => {
  useToken("");
  end(detail);
});
session.addEventListener("signed-in", () => {
  begin();
  go();
});
document.getElementById("sign-out").onclick = () => {
  useToken("");
  end("");
  announce("Signed out");
};
document.getElementById("skip").onclick = (event) => {
  event.preventDefault();
  main.focus();
};
addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, dialog");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.getElementById("search");
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select();
});
// Times that have passed grow.
setInterval(invalidate, 5000);

begin();
go({ isFirst: true });
