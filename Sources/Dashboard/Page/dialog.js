// Changes, each after a question whether it is meant.

import { ApiError, ask, segment } from "./api.js";
import { announce, h, patch } from "./dom.js";
import { counted } from "./format.js";

const dialog = () => document.getElementById("dialog");
// Which question is asked: an answer may come when another one is.
let asked = 0;

/**
 * Asks whether to go on, and then does it. What goes wrong is said in the dialog, which stays open.
 *
 * @param run what is to be done; returns what is said afterwards.
 */
export function confirm({ title, text, details = [], action, isDangerous, run }) {
  let error = "";
  let isRunning = false;
  const mine = (asked += 1);
  const close = () => asked === mine && dialog().close();
  const go = async (event) => {
    event.preventDefault();
    if (isRunning) return;
    isRunning = true;
    error = "";
    draw();
    try {
      announce(await run());
      close();
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      error = problem.message;
    } finally {
      isRunning = false;
    }
    draw();
  };
  const draw = () =>
    asked === mine && patch(dialog(), h("form", { onsubmit: go },
      h("h2", { id: "dialog-title" }, title),
      h("p", null, text),
      details.length > 0 && h("dl", { class: "facts" },
        details.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", { class: "code" }, value)))),
      h("p", { role: "alert", class: "problem" }, error),
      h("div", { class: "dialog-end" },
        h("button", { type: "button", onclick: close }, "Cancel"),
        h("button", { type: "submit", class: isDangerous ? "danger" : "main", "aria-disabled": isRunning && "true" },
          action))));
  draw();
  dialog().showModal();
  // The careful choice has the focus.
  dialog().querySelector("button").focus();
}

const shownInstance = (instance) => [
  ["Instance", instance.id], ["Service", instance.name], ["Address", endpoint(instance)],
];

/** The look of an address: a short one is not broken over lines. */
export const addressClass = (instance) => (endpoint(instance).length > 24 ? "code" : "code whole");

/** Address and port, as in a URL. */
export const endpoint = ({ ip, port }) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);

/** Takes an instance out of DNS, or puts it back. */
export function drain(instance, isDraining, done) {
  confirm({
    title: isDraining ? "Drain this instance?" : "Put this instance back?",
    text: isDraining
      ? "DNS stops answering with it. It stays registered, and its checks go on."
      : "DNS answers with it again if its checks allow.",
    details: shownInstance(instance),
    action: isDraining ? "Drain" : "Put back",
    run: async () => {
      await ask(`api/v1/services/${segment(instance.id)}`, { method: "PATCH", body: { draining: isDraining } });
      done();
      return isDraining ? `${instance.id} is draining` : `${instance.id} is back`;
    },
  });
}

/** Takes all instances of a service, or of a host, out of DNS, or puts them back. The selection is {name} or {ip}. */
export function drainAll(selection, isDraining, done) {
  const what = selection.name ?? selection.ip;
  const kind = selection.name ? "Service" : "Host";
  confirm({
    title: isDraining ? `Drain all of ${what}?` : `Put all of ${what} back?`,
    text: isDraining
      ? `DNS stops answering with every instance of this ${kind.toLowerCase()}. They stay registered.`
      : `DNS answers with every instance of this ${kind.toLowerCase()} again if its checks allow.`,
    details: [[kind, what]],
    action: isDraining ? "Drain all" : "Put all back",
    isDangerous: isDraining,
    run: async () => {
      const path = `api/v1/services/${isDraining ? "drain" : "undrain"}`;
      const { changed } = await ask(path, { method: "POST", body: selection });
      done();
      return `${counted(changed, "instance")} of ${what} ${isDraining ? "drained" : "put back"}`;
    },
  });
}

/** Takes an instance out of the registry. */
export function deregister(instance, done) {
  confirm({
    title: "Deregister this instance?",
    text: "It leaves DNS and the registry at once, with its metadata. It comes back only if it registers again.",
    details: shownInstance(instance),
    action: "Deregister",
    isDangerous: true,
    run: async () => {
      await ask(`api/v1/services/${segment(instance.id)}`, { method: "DELETE" });
      done();
      return `${instance.id} is deregistered`;
    },
  });
}

/** Removes upstreams' answers from the cache. */
export function emptyCache(done) {
  confirm({
    title: "Empty the cache?",
    text: "Upstreams are asked anew for every name outside. Registered names are not affected.",
    action: "Empty the cache",
    run: async () => {
      const { removed } = await ask("api/v1/cache", { method: "DELETE" });
      done();
      return `${counted(removed, "answer")} removed from the cache`;
    },
  });
}
