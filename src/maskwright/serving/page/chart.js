/** Curves of a run by epoch, in SVG: training and validation, with the values under the pointer. */

import { draw, make } from "./dom.js";

const HEIGHT = 200;
const MARGIN = { left: 44, right: 12, top: 8, bottom: 24 };
const LINES = [
  { prefix: "", name: "training", kind: "training-line" },
  { prefix: "val_", name: "validation", kind: "validation-line" },
];

/**
 * A chart of one score.
 * @param {string} key  Column of the score in a history; the validation column has the prefix `val_`.
 * @param {string} title
 * @returns {{element: Element, set: (rows: object[], best: number|null) => void}}
 */
export function createChart(key, title) {
  const hidden = new Set();
  const plot = make("div", {
    class: "plot",
    role: "slider",
    tabindex: "0",
    "aria-label": `${title} by epoch`,
  });
  const value = make("p", { class: "value", "aria-hidden": "true" });
  const legend = make("div", { class: "legend" });
  for (const { name, kind } of LINES) {
    const button = make("button", { type: "button", class: kind, "aria-pressed": "true" }, make("i"), name);
    button.setAttribute("aria-label", `${title}, ${name}`);
    button.addEventListener("click", () => {
      if (!hidden.delete(name)) hidden.add(name);
      button.setAttribute("aria-pressed", !hidden.has(name));
      render();
    });
    legend.append(button);
  }
  const heading = make("h3", {}, title[0].toUpperCase() + title.slice(1));
  const element = make("figure", { class: "chart" }, make("figcaption", {}, heading, legend), plot, value);
  let rows = [];
  let best = null;
  let place = null; // index of the selected row

  function render() {
    const width = Math.max(plot.clientWidth, 160);
    const shown = LINES.filter(({ name }) => !hidden.has(name));
    const svg = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
    const numbers = rows
      .flatMap((row) => shown.map(({ prefix }) => row[prefix + key]))
      .filter(Number.isFinite);
    if (numbers.length) drawLines(svg, width, shown, spanOf(numbers));
    plot.replaceChildren(svg);
    say();
  }

  function scales(width, [low, high]) {
    const first = rows[0].epoch;
    const last = Math.max(rows.at(-1).epoch, first + 1);
    return {
      x: (epoch) => MARGIN.left + ((epoch - first) / (last - first)) * (width - MARGIN.left - MARGIN.right),
      y: (score) =>
        HEIGHT - MARGIN.bottom - ((score - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom),
    };
  }

  function drawLines(svg, width, shown, span) {
    const { x, y } = scales(width, span);
    for (const tick of ticks(...span, 4)) {
      svg.append(
        draw("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }),
      );
      svg.append(draw("text", { x: MARGIN.left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick)));
    }
    for (const tick of ticks(rows[0].epoch, Math.max(rows.at(-1).epoch, rows[0].epoch + 1), 6)) {
      if (Number.isInteger(tick)) {
        svg.append(draw("text", { x: x(tick), y: HEIGHT - 6, "text-anchor": "middle" }, String(tick)));
      }
    }
    const upright = (epoch, kind) =>
      draw("line", { class: kind, x1: x(epoch), x2: x(epoch), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom });
    if (best !== null) svg.append(upright(best, "best"));
    if (place !== null) svg.append(upright(rows[place].epoch, "here"));
    for (const { prefix, kind } of shown) {
      const points = rows.filter((row) => Number.isFinite(row[prefix + key]));
      const path = points.map((row) => `${x(row.epoch).toFixed(1)},${y(row[prefix + key]).toFixed(1)}`);
      svg.append(draw("polyline", { class: `line ${kind}`, points: path.join(" ") }));
      const marked = place === null ? points.slice(-1) : points.filter((row) => row === rows[place]);
      for (const row of marked) {
        svg.append(
          draw("circle", { class: `dot ${kind}`, cx: x(row.epoch), cy: y(row[prefix + key]), r: 3.5 }),
        );
      }
    }
  }

  /** Show the values of the selected epoch, or of the last. */
  function say() {
    const row = rows[place ?? rows.length - 1];
    if (!row) {
      value.textContent = "";
      return;
    }
    const parts = LINES.filter(({ prefix }) => Number.isFinite(row[prefix + key])).map(
      ({ prefix, name }) => `${name} ${row[prefix + key].toFixed(4)}`,
    );
    const isBest = row.epoch === best ? " (best)" : "";
    value.textContent = `Epoch ${row.epoch}${isBest}: ${parts.join(", ")}`;
    plot.setAttribute("aria-valuemin", rows[0].epoch);
    plot.setAttribute("aria-valuemax", rows.at(-1).epoch);
    plot.setAttribute("aria-valuenow", row.epoch);
    plot.setAttribute("aria-valuetext", value.textContent);
  }

  plot.addEventListener("pointermove", (event) => {
    if (!rows.length) return;
    const { left, width } = plot.getBoundingClientRect();
    const { x } = scales(width, [0, 1]);
    const far = rows.map((row) => Math.abs(x(row.epoch) - (event.clientX - left)));
    place = far.indexOf(Math.min(...far));
    render();
  });
  plot.addEventListener("pointerleave", () => {
    place = null;
    render();
  });
  plot.addEventListener("keydown", (event) => {
    const last = rows.length - 1;
    const now = place ?? last;
    const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[event.key];
    if (next === undefined || last < 0) return;
    place = Math.min(last, Math.max(0, next));
    event.preventDefault();
    event.stopPropagation();
    render();
  });
  new ResizeObserver(render).observe(plot);

  return {
    element,
    set(newRows, newBest) {
      [rows, best] = [newRows, newBest];
      if (place !== null) place = Math.min(place, rows.length - 1);
      plot.setAttribute("aria-disabled", rows.length === 0);
      if (!rows.length) plot.setAttribute("aria-valuenow", 0);
      render();
    },
  };
}

/** Minimum and maximum of numbers, with a margin. */
function spanOf(numbers) {
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  const air = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - air, high + air];
}

/** About `wanted` round numbers between two values. */
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9; i++)
    found.push(Number((i * step).toPrecision(12)));
  return found;
}

const short = (value) =>
  Math.abs(value) >= 0.001 || value === 0 ? String(Number(value.toPrecision(3))) : value.toExponential(0);
