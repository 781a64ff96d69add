// The changes as they happen. The stream is read with fetch, since an EventSource can't send a token.

import { ApiError, send } from "./api.js";

/** How many events are kept; the oldest go. */
export const keptEvents = 2000;

/** What has come so far: the newest event first. */
export const live = {
  /** "off", "connecting", "live" or "lost". */
  state: "off",
  events: [],
  /** When it began to listen; null: not yet. */
  since: null,
  /** Whether changes went by that are not in events. */
  hasGap: false,
  /** Events in all. */
  total: 0,
};

const listeners = new Set();
let abort = null;
let lastID = "";
let changed = new Set();
let timer = null;

/** Calls back, a few times a second at most, with the names of services that have changed; none: only the state has. */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Listens from now on. */
export function follow() {
  if (abort) return;
  abort = new AbortController();
  void run(abort.signal);
}

/** Listens no more, and forgets what came. */
export function unfollow() {
  abort?.abort();
  abort = null;
  lastID = "";
  Object.assign(live, { state: "off", events: [], since: null, hasGap: false, total: 0 });
  tell();
}

function tell(name) {
  if (name) changed.add(name);
  timer ??= setTimeout(() => {
    timer = null;
    const names = changed;
    changed = new Set();
    for (const listener of listeners) listener(names);
  }, 150);
}

async function run(signal) {
  let wait = 500;
  while (!signal.aborted) {
    live.state = live.state === "lost" ? "lost" : "connecting";
    tell();
    try {
      await listen(signal, () => (wait = 500));
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && error.status === 401)) return;
      wait = Math.max(wait, (error.retryAfter ?? 0) * 1000);
    }
    if (signal.aborted) return;
    live.state = "lost";
    tell();
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, 15000);
  }
}

/** Reads one connection to its end. */
async function listen(signal, hasBegun) {
  const connection = new AbortController();
  const end = () => connection.abort();
  signal.addEventListener("abort", end);
  // The server sends something every 15 seconds.
  let watch = setTimeout(end, 40000);
  try {
    const headers = lastID ? { "Last-Event-ID": lastID } : {};
    const response = await send("api/v1/events", { headers, signal: connection.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    live.state = "live";
    live.since ??= new Date().toISOString();
    tell();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(end, 40000);
      hasBegun();
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) if (!take(block)) return end();
    }
  } finally {
    clearTimeout(watch);
    signal.removeEventListener("abort", end);
    connection.abort();
  }
}

/** Takes one event. False: the connection is of no more use. */
function take(block) {
  let type = "";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) lastID = line.slice(4);
    else if (line.startsWith("event: ")) type = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (!type) return true;
  if (type === "reset" || type === "lagged") {
    // All instances would come, and there may be millions: lists are loaded anew instead.
    lastID = "";
    live.hasGap = true;
    tell("*");
    return false;
  }
  const event = { ...JSON.parse(data), type };
  const name = event.instance?.name ?? event.name;
  live.total += 1;
  event.key = `${event.index}-${live.total}`;
  event.name = name;
  live.events.unshift(event);
  // Cut now and then: each time would cost the whole list.
  if (live.events.length > keptEvents + 500) live.events.length = keptEvents;
  tell(name);
  return true;
}
