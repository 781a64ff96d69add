// Asks for a token.

import { isToken, session, useToken } from "./api.js";
import { h, invalidate } from "./dom.js";

let problem = "";

/** What was wrong with the token; "": there was none. */
export function refuse(text) {
  problem = text;
}

export function signIn() {
  function submit(event) {
    event.preventDefault();
    const token = event.target.elements.token.value.trim();
    if (!isToken(token)) {
      problem = "a token has no spaces, and only letters, digits and signs of ASCII";
      invalidate();
      return;
    }
    problem = "";
    useToken(token);
    session.dispatchEvent(new Event("signed-in"));
  }

  return {
    title: "Sign in",
    render: () => h("div", { class: "sign-in" },
      h("h1", { tabindex: "-1" }, "Sign in"),
      h("p", { class: "muted" },
        `${location.host} needs a token. It is kept in this tab only, until the tab is closed.`),
      h("form", { onsubmit: submit },
        h("label", { for: "token" }, "Token"),
        h("input", {
          id: "token", name: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false",
          "aria-describedby": "token-problem", "aria-invalid": problem ? "true" : null,
        }),
        h("p", { id: "token-problem", class: "problem", role: "alert" }, problem),
        h("button", { type: "submit", class: "main" }, "Sign in"))),
    refresh: () => {}, stop: () => {},
  };
}
