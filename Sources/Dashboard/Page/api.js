// Calls the API of the server that this page came from, with the token that this tab knows.

const tokenKey = "kong-discovery-token";
// Without storage, which may be forbidden, the token lasts until the page is left.
let token = "";
try {
  token = sessionStorage.getItem(tokenKey) ?? "";
} catch {
  token = "";
}

/** A request that was not answered as wanted. Its status is 0 if there was no answer at all. */
export class ApiError extends Error {
  constructor(status, detail, { errors = [], retryAfter = 0 } = {}) {
    super(errors.length ? errors.map(({ field, message }) => `${field} ${message}`.trim()).join("; ") : detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Told of whether a token is needed: "refused" with a sentence that says why, "signed-in". */
export const session = new EventTarget();

/** Whether this tab has a token. */
export const hasToken = () => token !== "";

/** Uses a token from now on, for this tab alone. An empty one forgets the present one. */
export function useToken(text) {
  token = text;
  try {
    if (token) sessionStorage.setItem(tokenKey, token);
    else sessionStorage.removeItem(tokenKey);
  } catch {
    return;
  }
}

/** What a token is made of: what a header field can carry. */
export const isToken = (text) => /^[\x21-\x7e]{1,4096}$/.test(text);

/** Sends a request, and gives the answer if it is a good one. The path is without the leading slash. */
export async function send(path, { method = "GET", query = {}, body, headers = {}, signal } = {}) {
  const url = new URL(path, document.baseURI);
  url.hash = "";
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value != null) url.searchParams.set(name, value);
  }
  const fields = { ...headers };
  if (token) fields.Authorization = `Bearer ${token}`;
  if (body !== undefined) fields["Content-Type"] = "application/json";
  const sent = token;
  let response;
  try {
    response = await fetch(url, {
      method, headers: fields, body: body === undefined ? undefined : JSON.stringify(body), signal, cache: "no-store",
      redirect: "error",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the server can't be reached");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const detail = problem.detail ?? `the server answered ${response.status}`;
  // Another token may have come meanwhile.
  if (response.status === 401 && sent === token) {
    session.dispatchEvent(new CustomEvent("refused", { detail: token ? detail : "" }));
  }
  throw new ApiError(response.status, detail, {
    errors: problem.errors, retryAfter: Number(response.headers.get("Retry-After") ?? 0),
  });
}

/** The JSON of an answer; null if it has none. */
export async function ask(path, options) {
  const text = await askText(path, options);
  return text === "" ? null : JSON.parse(text);
}

/** The text of an answer. */
export async function askText(path, options) {
  const response = await send(path, options);
  try {
    return await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the server broke off");
  }
}

/** A part of a path. */
export const segment = encodeURIComponent;

/** The instances that match, from all pages until there are so many; a page may be short, or have none. */
export async function instances(query, wanted, signal) {
  const found = [];
  let cursor = "";
  for (let page = 0; page < 50 && found.length < wanted; page += 1) {
    const answer = await ask("api/v1/services", { query: { ...query, limit: wanted, cursor }, signal });
    found.push(...answer.services);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return { found: found.slice(0, wanted), isMore: Boolean(cursor) || found.length > wanted };
}

/**
 * Something that is loaded, again and again: not twice at once, and not more often than its pause allows, which grows
 * with the time that it takes.
 */
export class Resource {
  value = null;
  error = null;
  #load;
  #changed;
  #pause;
  #abort = null;
  #isWanted = false;
  #isStopped = false;
  #timer = null;
  #next = 0;

  /** @param changed called when value or error are new. @param pause milliseconds between two loads at least. */
  constructor(load, changed, pause = 1000) {
    this.#load = load;
    this.#changed = changed;
    this.#pause = pause;
  }

  /** Whether it was loaded, or could not be. */
  get isKnown() {
    return this.value !== null || this.error !== null;
  }

  /** Loads it; at once, or when its pause is over. */
  reload({ atOnce = false } = {}) {
    if (this.#isStopped) return;
    if (this.#abort) {
      this.#isWanted = true;
      return;
    }
    const wait = atOnce ? 0 : this.#next - performance.now();
    clearTimeout(this.#timer);
    if (wait <= 0) this.#run();
    else this.#timer = setTimeout(() => this.#run(), wait);
  }

  /** Loads no more. */
  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  async #run() {
    const start = performance.now();
    const abort = new AbortController();
    this.#abort = abort;
    this.#isWanted = false;
    let wait = 0;
    try {
      this.value = await this.#load(abort.signal);
      this.error = null;
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      this.error = error;
      wait = error.retryAfter * 1000;
      // What may pass by itself is tried again.
      if (error.status === 0 || error.status === 429 || error.status === 503) {
        this.#isWanted = true;
        wait = Math.max(wait, 2000);
      }
    } finally {
      this.#abort = null;
      const end = performance.now();
      this.#next = end + Math.max(this.#pause, 4 * (end - start), wait);
    }
    if (this.#isStopped) return;
    this.#changed();
    if (this.#isWanted) this.reload();
  }
}
