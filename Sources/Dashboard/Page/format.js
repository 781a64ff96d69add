// Numbers and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A whole number: 12,400. */
export const count = (number) => whole.format(number);

/** A number with its noun: "1 service", "2 services". */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A rate a second with three digits: 0.5, 12.3, 1,240. */
export function rate(number) {
  if (number === null) return "–";
  if (number > 0 && number < 0.1) return "< 0.1";
  return number < 100 ? String(Number(number.toFixed(1))) : count(number);
}

/** A share as per cent: 0 %, 0.04 %, 99.8 %. */
export function share(number) {
  if (number === null) return "–";
  const percent = number * 100;
  if (percent > 0 && percent < 0.01) return "< 0.01 %";
  return `${Number(percent.toFixed(percent < 1 ? 2 : 1))} %`;
}

/** A duration in seconds, short: 84 µs, 1.2 ms, 3 s. */
export function latency(seconds) {
  if (seconds === null) return "–";
  if (seconds < 0.001) return `${Number((seconds * 1e6).toPrecision(2))} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(2))} ms`;
  return `${Number(seconds.toPrecision(2))} s`;
}

const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** A duration in its two largest units: "3 d 4 h", "12 s". */
export function duration(seconds) {
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [name, size] = units[first];
  const text = `${Math.floor(seconds / size)} ${name}`;
  const next = units[first + 1];
  if (!next || first > 1) return text;
  const rest = Math.floor((seconds % size) / next[1]);
  return rest ? `${text} ${rest} ${next[0]}` : text;
}

/** A duration with one unit: "3 days", as in "3 d ago". */
function coarse(seconds) {
  const [name, size] = units.find(([, size]) => seconds >= size) ?? units[3];
  return `${Math.floor(seconds / size)} ${name}`;
}

/** How long ago a moment is, or how far ahead. */
export function ago(text) {
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  if (Math.abs(seconds) < 2) return "now";
  return seconds < 0 ? `in ${coarse(-seconds)}` : `${coarse(seconds)} ago`;
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
const dateAndTime = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium", timeStyle: "medium", hourCycle: "h23",
});

/** The time of the day. */
export const timeOfDay = (text) => clock.format(Date.parse(text));

/** Date and time. */
export const moment = (text) => dateAndTime.format(Date.parse(text));

/** Octets: 640 B, 12 KiB, 3.4 MiB. */
export function octets(number) {
  const names = ["B", "KiB", "MiB", "GiB"];
  let place = 0;
  while (number >= 1024 && place < 3) {
    number /= 1024;
    place += 1;
  }
  return `${number < 10 && place ? number.toFixed(1) : Math.round(number)} ${names[place]}`;
}
