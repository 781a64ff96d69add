// What the server counts, asked for every two seconds: rates, latency and errors of the last minutes.

import { ApiError, ask, askText } from "./api.js";
import { invalidate } from "./dom.js";

/** The newest state, and what was measured: each point is about the time since the one before. */
export const figures = { status: null, error: null, points: [], since: null };

const interval = 2000;
const keptSeconds = 330;
const durations = "kong_discovery_dns_request_duration_seconds_bucket{";

let last = null;
let timer = null;
let generation = 0;

/** Asks from now on, while the page is seen. */
export function watchFigures() {
  generation += 1;
  clearTimeout(timer);
  figures.since ??= Date.now();
  void poll(generation);
}

/** Asks no more, and forgets. */
export function forgetFigures() {
  generation += 1;
  clearTimeout(timer);
  last = null;
  Object.assign(figures, { status: null, error: null, points: [], since: null });
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    generation += 1;
    clearTimeout(timer);
  } else if (figures.since !== null) watchFigures();
});

async function poll(mine) {
  const start = performance.now();
  let wait = interval;
  try {
    const [status, metrics] = await Promise.all([ask("api/v1/status"), askText("metrics")]);
    if (mine !== generation) return;
    // The first rate is there soon.
    if (!last) wait = 500;
    take(status, buckets(metrics));
  } catch (error) {
    if (mine !== generation || !(error instanceof ApiError) || error.status === 401) return;
    figures.error = error;
    wait = Math.max(wait, error.retryAfter * 1000);
  }
  // Where figures of thousands of services come along they are asked for less often.
  timer = setTimeout(() => poll(mine), Math.max(wait, 8 * (performance.now() - start)));
  invalidate();
}

/** The sums of the latency's buckets over all sources, by their upper bounds. */
function buckets(text) {
  const sums = new Map();
  for (const line of text.split("\n")) {
    if (!line.startsWith(durations)) continue;
    const bound = /le="([^"]+)"/.exec(line)[1];
    const value = Number(line.slice(line.lastIndexOf(" ") + 1));
    const limit = bound === "+Inf" ? Infinity : Number(bound);
    sums.set(limit, (sums.get(limit) ?? 0) + value);
  }
  return [...sums].sort(([a], [b]) => a - b);
}

function take(status, latencies) {
  const now = { time: Date.now(), status, latencies };
  figures.status = status;
  figures.error = null;
  const before = last;
  last = now;
  if (!before) return;
  const seconds = (now.time - before.time) / 1000;
  const gained = (group, name) => status[group][name] - before.status[group][name];
  const queries = gained("dns", "udp_queries") + gained("dns", "tcp_queries");
  // The server has begun anew, or the page was hidden for long.
  if (status.uptime_seconds < before.status.uptime_seconds || queries < 0 || seconds > 15) {
    figures.points.push({ time: now.time, isGap: true });
    return;
  }
  const looked = gained("cache", "hits") + gained("cache", "misses");
  const point = { time: now.time, queries: queries / seconds, ...quantiles(before.latencies, latencies) };
  for (const code of ["servfail", "refused", "nxdomain", "formerr", "dropped"]) {
    point[code] = Math.max(gained("dns", code), 0) / seconds;
  }
  point.cacheHits = looked > 0 ? gained("cache", "hits") / looked : null;
  point.forwarded = Math.max(gained("forwarding", "udp_queries") + gained("forwarding", "tcp_queries"), 0) / seconds;
  figures.points.push(point);
  while (figures.points[0].time < now.time - keptSeconds * 1000) figures.points.shift();
}

/** The latency that half of the queries, and 99 of 100, have at most, within a bucket by its share. */
function quantiles(before, now) {
  const earlier = new Map(before);
  const gained = now.map(([bound, value]) => [bound, value - (earlier.get(bound) ?? 0)]);
  const total = gained.at(-1)?.[1] ?? 0;
  const quantile = (share) => {
    if (total <= 0) return null;
    const place = gained.findIndex(([, value]) => value >= share * total);
    const [bound, value] = gained[place];
    const [lowerBound, lower] = place > 0 ? gained[place - 1] : [0, 0];
    if (bound === Infinity) return lowerBound;
    return value === lower ? bound : lowerBound + ((bound - lowerBound) * (share * total - lower)) / (value - lower);
  };
  return { median: quantile(0.5), slowest: quantile(0.99) };
}

/** The mean of the last points of a kind, so that a number can be read while it changes. */
export function recent(key) {
  const values = figures.points.slice(-3).map((point) => point[key]).filter((value) => value != null);
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}
