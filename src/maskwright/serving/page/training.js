/** Training runs: progress, curves and previews, updated while a run continues. */

import { askJson } from "./api.js";
import { createChart } from "./chart.js";
import { announce, attempt, find, make, show } from "./dom.js";

const WAIT = 20; // seconds that the server waits for a change before it responds
const LOOK_AGAIN = 5000; // ms between requests of the list of runs
const FRAME = 700; // ms per epoch while previews play
const STATES = { running: "running", finished: "finished", stopped: "stopped" };

/** @param {object} hooks  runs(list): called repeatedly with all runs. */
export function createTraining(hooks) {
  let charts = new Map();
  let chosen = null;
  let state = null;
  let following = null; // stops following the run
  let known = "";
  let playing = null;
  const pair = [frameOf("First", 0), frameOf("Second", 1)];
  find("preview-pair").append(...pair.map(({ figure }) => figure));
  find("play").addEventListener("click", () => (playing ? stop() : play()));

  async function look() {
    const runs = await askJson("runs");
    await hooks.runs(runs);
    const text = JSON.stringify(runs);
    if (text === known) return;
    known = text;
    list(runs);
    const isResumed = runs.some(({ name, status }) => name === chosen && status === "running");
    if (state?.status === "finished" && isResumed) watch(chosen);
    if (!chosen && runs.length) choose((runs.find(({ status }) => status === "running") ?? runs[0]).name);
  }

  function list(runs) {
    find("run-list").replaceChildren(
      ...runs.map(({ name, status }) => {
        const chip = make("span", { class: `chip-state ${status}` }, STATES[status] ?? status);
        const label = make("span", { class: "name", title: name }, name);
        const button = make(
          "button",
          { type: "button", "data-run": name, onclick: () => choose(name) },
          label,
          chip,
        );
        if (name === chosen) button.setAttribute("aria-current", "true");
        return make("li", {}, button);
      }),
    );
  }

  function choose(name) {
    if (name === chosen) return;
    chosen = name;
    state = null;
    charts = new Map();
    find("charts").replaceChildren();
    for (const button of find("run-list").querySelectorAll("button")) {
      if (button.dataset.run === name) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    watch(name);
  }

  function watch(name) {
    following?.abort();
    following = new AbortController();
    const { signal } = following;
    attempt(() => follow(name, signal));
  }

  /** Show a run and its updates; a stopped run can be resumed. */
  async function follow(name, signal) {
    let path = `runs/${encodeURIComponent(name)}`;
    for (;;) {
      const answer = await askJson(path, { signal });
      signal.throwIfAborted();
      const isNew = state && answer.epoch !== state.epoch;
      if (isNew) announce(`Epoch ${answer.epoch} of ${name} is done.`);
      state = answer;
      render();
      if (state.status === "finished") {
        await attempt(look);
        return;
      }
      path = `runs/${encodeURIComponent(name)}?after=${state.epoch ?? 0}&wait=${WAIT}`;
      if (state.status === "stopped") await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
    }
  }

  function render() {
    const {
      name,
      status,
      progress,
      seconds_left: left,
      epoch,
      epochs,
      best_epoch: best,
      history,
      titles,
    } = state;
    find("run-name").textContent = name;
    find("run-state").textContent =
      {
        running: "In training.",
        finished: "Finished.",
        stopped: "Stopped: the run has not reported progress recently.",
      }[status] ?? status;
    find("run-share").value = progress ?? 0;
    const facts = [["Epoch", epochs ? `${epoch ?? 0} of ${epochs}` : String(epoch ?? 0)]];
    if (best) facts.push(["Best epoch", String(best)]);
    if (status === "running" && left !== null) facts.push(["Time left", duration(left)]);
    if (history.length) facts.push(["Training time", duration(history.at(-1).seconds)]);
    find("run-facts").replaceChildren(
      ...facts.map(([term, text]) => make("div", {}, make("dt", {}, term), make("dd", {}, text))),
    );
    for (const [key, title] of Object.entries({ loss: "loss", ...titles })) {
      if (!charts.has(key)) {
        const chart = createChart(key, title);
        charts.set(key, chart);
        find("charts").append(chart.element);
      }
      charts.get(key).set(history, best ?? null);
    }
    renderTable(history);
    renderPreviews();
  }

  function renderTable(history) {
    show(find("values"), history.length > 0);
    if (!history.length) return;
    const keys = Object.keys(history.reduce((all, row) => ({ ...all, ...row }), {}));
    const head = make("tr", {}, ...keys.map((key) => make("th", { scope: "col" }, key.replaceAll("_", " "))));
    const rows = history.map((row) =>
      make("tr", {}, ...keys.map((key) => make("td", {}, numeral(row[key])))),
    );
    find("values-table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
  }

  function frameOf(name, index) {
    const slider = make("input", { type: "range", "aria-label": `${name} epoch` });
    const output = make("output");
    const image = make("img", { alt: "" });
    const frame = { slider, output, image, moved: false, index };
    slider.addEventListener("input", () => {
      frame.moved = true;
      stop();
      renderPreviews();
    });
    frame.figure = make("figure", {}, make("figcaption", {}, output, slider), image);
    return frame;
  }

  /** The first and the latest preview side by side, or those selected by the user. */
  function renderPreviews() {
    const { previews, name, preview_columns: columns } = state;
    show(find("previews"), previews.length > 0);
    if (!previews.length) return;
    find("preview-columns").textContent = columns.length ? `From left to right: ${columns.join(", ")}.` : "";
    show(find("play"), previews.length > 1);
    show(pair[1].figure, previews.length > 1);
    for (const { slider, output, image, moved, index } of pair) {
      const last = previews.length - 1;
      const wasLast = Number(slider.value) === Number(slider.max);
      slider.min = 0;
      slider.max = last;
      if (!moved || (index === 1 && wasLast && !playing)) slider.value = index === 0 ? 0 : last;
      const epoch = previews[Math.min(Number(slider.value), last)];
      slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
      output.textContent = `Epoch ${epoch}`;
      const address = `api/runs/${encodeURIComponent(name)}/previews/${epoch}.png`;
      if (image.getAttribute("src") !== address) image.src = address;
      image.alt = `${columns.join(", ") || "Preview"}, after epoch ${epoch}`;
    }
  }

  function play() {
    const { slider } = pair[1];
    if (Number(slider.value) === Number(slider.max)) slider.value = 0;
    pair[1].moved = true;
    playing = setInterval(() => {
      if (Number(slider.value) >= Number(slider.max)) {
        stop();
        return;
      }
      slider.value = Number(slider.value) + 1;
      renderPreviews();
    }, FRAME);
    shownPlaying();
    renderPreviews();
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    shownPlaying();
  }

  function shownPlaying() {
    const button = find("play");
    button.setAttribute("aria-pressed", Boolean(playing));
    button.querySelector("span").textContent = playing ? "Pause" : "Play";
    button.querySelector("use").setAttribute("href", playing ? "#icon-pause" : "#icon-play");
  }

  async function start() {
    await attempt(look);
    setInterval(() => {
      if (!document.hidden) look().catch(() => {}); // the next request may succeed
    }, LOOK_AGAIN);
  }

  return { start };
}

function numeral(value) {
  if (value === undefined || value === null) return "";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
}

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
