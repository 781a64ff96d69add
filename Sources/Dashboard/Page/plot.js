// Small plots over time: one line or a few, the values under the pointer or the arrow keys.

import { h, invalidate } from "./dom.js";
import { figures } from "./figures.js";

const width = 600;
const height = 120;

/** A plot. Its lines have a key of the points, a label and a class; format makes its numbers text. */
export class Plot {
  #title;
  #lines;
  #format;
  #least;
  #chosen = null;

  /** @param least the highest value that its axis has at least. */
  constructor(title, lines, format, least) {
    this.#title = title;
    this.#lines = lines;
    this.#format = format;
    this.#least = least;
  }

  /** It with its heading, as it is now. headline is the number that matters most. */
  render(headline, note) {
    const points = figures.points;
    const end = points.at(-1)?.time ?? Date.now();
    const seconds = Math.min(300, Math.max(60, Math.ceil((end - (figures.since ?? end)) / 60000) * 60));
    const shown = points.filter((point) => point.time >= end - seconds * 1000);
    const chosen = this.#chosen === null ? null : shown[Math.min(this.#chosen, shown.length - 1)] ?? null;
    let most = this.#least;
    for (const point of shown) for (const { key } of this.#lines) most = Math.max(most, point[key] ?? 0);
    const top = niceCeiling(most);
    const x = (point) => width * (1 - (end - point.time) / (seconds * 1000));
    const y = (value) => height * (1 - value / top);
    const last = points.at(-1);
    const values = this.#lines.map(({ key, label }) => `${label} ${this.#format(last?.[key] ?? null)}`).join(", ");
    const span = `${seconds / 60} min`;
    const label = `${this.#title}: ${values}; at most ${this.#format(most)} in ${span}`;
    return h("section", { class: "card plot", "aria-label": this.#title },
      h("div", { class: "plot-head" },
        h("h2", null, this.#title),
        h("span", { class: "plot-span" }, chosen ? `${Math.round((end - chosen.time) / 1000)} s ago` : span),
        h("p", { class: "plot-number" }, headline, note && h("span", null, note))),
      h("div", {
        class: "plot-area", tabindex: "0", role: "img", "aria-label": label,
        onpointermove: (event) => this.#point(event, shown, x), onpointerleave: () => this.#choose(null),
        onblur: () => this.#choose(null), onkeydown: (event) => this.#step(event, shown),
      },
      h("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
        [0, 0.5, 1].map((share) =>
          h("line", { class: "grid", x1: 0, x2: width, y1: height * share, y2: height * share })),
        this.#lines.toReversed().map((line) => this.#drawn(line, shown, x, y)),
        chosen && h("line", { class: "cursor", x1: x(chosen), x2: x(chosen), y1: 0, y2: height }),
        chosen && this.#lines.filter(({ key }) => chosen[key] != null).map(({ key, kind }) =>
          h("path", { class: `dot ${kind}`, d: `M${x(chosen)} ${y(chosen[key])}h.01` }))),
      h("span", { class: "axis axis-top" }, this.#format(top)),
      h("span", { class: "axis axis-middle" }, this.#format(top / 2)),
      h("span", { class: "axis axis-bottom", "aria-hidden": "true" }, "0"),
      shown.length < 2 && h("p", { class: "plot-empty" }, "Collecting …")),
      h("ul", { class: "legend" }, this.#lines.map(({ key, label, kind }) =>
        h("li", { class: kind }, label, h("b", null, this.#format((chosen ?? last)?.[key] ?? null))))));
  }

  /** A line, with the area below if it is the only one; where nothing was measured it is interrupted. */
  #drawn({ key, kind }, points, x, y) {
    let path = "";
    let area = "";
    let run = [];
    const finish = () => {
      if (run.length === 1) path += `M${run[0]}h.01`;
      if (run.length > 1) {
        path += `M${run.join("L")}`;
        area += `M${run[0].split(" ")[0]} ${height}L${run.join("L")}L${run.at(-1).split(" ")[0]} ${height}Z`;
      }
      run = [];
    };
    for (const point of points) {
      if (point[key] == null) finish();
      else run.push(`${x(point).toFixed(1)} ${y(point[key]).toFixed(1)}`);
    }
    finish();
    return [
      this.#lines.length === 1 && h("path", { class: `area ${kind}`, d: area }),
      h("path", { class: `line ${kind}`, d: path }),
    ];
  }

  #choose(place) {
    if (this.#chosen === place) return;
    this.#chosen = place;
    invalidate();
  }

  #point(event, points, x) {
    const box = event.currentTarget.firstChild.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * width;
    let nearest = null;
    for (const [index, point] of points.entries()) {
      if (nearest === null || Math.abs(x(point) - place) < Math.abs(x(points[nearest]) - place)) nearest = index;
    }
    this.#choose(nearest);
  }

  #step(event, points) {
    const last = points.length - 1;
    const places = {
      ArrowLeft: (this.#chosen ?? last + 1) - 1, ArrowRight: (this.#chosen ?? last) + 1, Home: 0, End: last,
    };
    if (event.key === "Escape") return this.#choose(null);
    if (!(event.key in places) || last < 0) return;
    event.preventDefault();
    this.#choose(Math.max(0, Math.min(last, places[event.key])));
  }
}

/** The next number of 1, 2, 4, 5 and 10 times a power of ten. */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999) ?? 10 * power;
}
