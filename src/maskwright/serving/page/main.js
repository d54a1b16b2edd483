/** Entry point: creates the parts of the page and connects them. */

import { askJson, heard } from "./api.js";
import { attempt, complain, count, find, make, remembered, show } from "./dom.js";
import { IGNORED, UNTOUCHED } from "./edit.js";
import { createImages } from "./images.js";
import { createKeys } from "./keys.js";
import { createMask, ownSettings } from "./mask.js";
import { createClasses, createDecision, createLook, createSaving } from "./panels.js";
import { createRegions } from "./regions.js";
import { shortcuts } from "./shortcuts.js";
import { signIn } from "./sign_in.js";
import { createTools } from "./tools.js";
import { createTraining } from "./training.js";
import { createViewer } from "./viewer.js";

let models = []; // models that predict masks
let names = new Set(); // of all models
let opened = null; // the displayed image
let opening = Promise.resolve(); // masks are opened sequentially

const modelOf = (entry) => models.find(({ name }) => name === entry.model);
const redraw = () => viewer.redraw();

const look = createLook(redraw);
const classes = createClasses(look, redraw);
const decision = createDecision((changes) => {
  mask.set(changes);
  shownSettings();
});
const mask = createMask({
  decided: () => {
    redraw();
    shownSettings();
  },
  measured: (sizes) => classes.measured(sizes, modelOf(images.chosen).background),
  corrected: () => {
    redraw();
    tools.refresh();
    shownSettings();
  },
  resting: () => attempt(send),
  failed: () =>
    complain("The browser could not process the mask, possibly for lack of memory; reload the page."),
});
const tools = createTools({
  mask: () => mask.drawn,
  corrections: () => mask.corrections,
  redraw,
  viewer: () => viewer,
});
const viewer = createViewer({ mask: () => mask.drawn, look: () => look, paint: tools.paint, point: readout });
const images = createImages({ model: () => find("model").value, chosen: showImage, arrived });
const regions = createRegions({
  entry: () => images.chosen,
  send,
  look: viewer.lookAt,
  arrived: (state) => {
    Object.assign(images.chosen, { state });
    regions.set(state, modelOf(images.chosen));
  },
});
const saving = createSaving({ entry: () => images.chosen, done: () => images.done, send });

async function send() {
  await mask.send();
  if (images.chosen) images.refresh(images.chosen);
}

/** Show another image at once, and its mask when it is available. */
function showImage(entry) {
  opened = null;
  viewer.open(null);
  show(find("empty"), !entry);
  for (const part of ["tools", "zooms"]) show(find(part), Boolean(entry));
  document.title = entry ? `${entry.name} – Maskwright` : "Maskwright";
  find("stage").setAttribute("aria-label", entry ? `${entry.name}, image and mask` : "Image and mask");
  const model = entry ? modelOf(entry) : models.find(({ name }) => name === find("model").value);
  if (model) {
    classes.set(model);
    tools.suit(model);
    decision.suit(model, entry?.state ?? null);
    decision.set(entry?.settings ?? ownSettings(model), true);
  }
  regions.set(null);
  saving.suit(null);
  openLater(null);
  if (entry) arrived(entry);
  shownSettings();
}

/** The state of an image has changed. */
function arrived(entry) {
  if (entry !== images.chosen) return;
  const { state, status, progress, reason } = entry;
  const texts = {
    queued: "Waiting for upload",
    sending: "Uploading the image",
    waiting: "Waiting for the model",
    working: "Predicting the mask",
    failed: reason,
  };
  show(find("busy"), status !== "done");
  find("busy-text").textContent = texts[status] ?? "";
  find("busy-share").value = progress;
  show(find("busy-share"), status !== "failed");
  if (state && opened !== entry && status !== "failed") {
    opened = entry;
    viewer.open(state);
    decision.suit(modelOf(entry), state);
  }
  if (status === "done" && !entry.asked) openLater(entry);
}

/** Open the mask of an image, or none, after the previous mask is released. */
function openLater(entry) {
  if (entry) entry.asked = true;
  opening = opening.then(() =>
    attempt(async () => {
      if (entry !== null && entry !== images.chosen) {
        entry.asked = false;
        return;
      }
      if (entry === null) {
        const left = mask.entry;
        try {
          await mask.close();
        } finally {
          if (left) left.asked = false;
          if (left && !left.removed) images.refresh(left);
        }
        return;
      }
      const model = modelOf(entry);
      try {
        await mask.open(entry, model);
      } catch (error) {
        entry.asked = false;
        throw error;
      }
      if (entry !== images.chosen) return;
      saving.suit(model);
      regions.set(entry.state, model);
      tools.refresh();
      shownSettings();
    }),
  );
}

function shownSettings() {
  const entry = images.chosen;
  const isThere = mask.drawn !== null && Boolean(entry?.settings);
  if (isThere) decision.set(entry.settings, !mask.settingsMoved);
  for (const input of find("decision").querySelectorAll("input")) input.disabled = !isThere;
  if (!isThere) find("reset-settings").disabled = true;
}

/** Show the pixel under the pointer. */
function readout(point) {
  const drawn = mask.drawn;
  const x = Math.floor(point?.x ?? -1);
  const y = Math.floor(point?.y ?? -1);
  const size = images.chosen?.state;
  const isInside = size && x >= 0 && y >= 0 && x < size.width && y < size.height;
  show(find("readout"), Boolean(isInside));
  if (!isInside) return;
  const parts = [`${x}, ${y}`];
  if (drawn) {
    const i = Math.floor(y / drawn.scale) * drawn.width + Math.floor(x / drawn.scale);
    const corrected = drawn.corrections?.[i] ?? UNTOUCHED;
    const label = corrected === UNTOUCHED ? drawn.labels[i] : corrected;
    const model = modelOf(images.chosen);
    parts.push(label === IGNORED ? "ignored" : model.classes[label].name);
    parts.push(corrected === UNTOUCHED ? (drawn.probabilities[i] / 200).toFixed(2) : "corrected");
    if (drawn.objects?.[i] && label !== model.background) parts.push(`object ${count(drawn.objects[i])}`);
  }
  find("readout").textContent = parts.join("  ·  ");
}

/* Adding images */

const files = find("files");
for (const id of ["choose", "choose-empty"]) find(id).addEventListener("click", () => files.click());
files.addEventListener("change", () => {
  images.add(files.files);
  files.value = "";
});
let inside = 0; // dragenter and dragleave fire for each element that is crossed
const isFiles = (event) => event.dataTransfer?.types.includes("Files") && models.length > 0;
addEventListener("dragenter", (event) => {
  if (!isFiles(event)) return;
  inside++;
  show(find("drop"), true);
});
addEventListener("dragleave", (event) => {
  if (isFiles(event) && --inside <= 0) show(find("drop"), false);
});
addEventListener("dragover", (event) => {
  if (isFiles(event)) event.preventDefault();
});
addEventListener("drop", (event) => {
  inside = 0;
  show(find("drop"), false);
  if (!isFiles(event)) return;
  event.preventDefault();
  openTab("images");
  images.add(event.dataTransfer.files);
});

/* Views, theme, compare */

function openTab(name) {
  for (const tab of ["images", "training"]) {
    show(find(`${tab}-view`), tab === name);
    if (tab === name) find(`tab-${tab}`).setAttribute("aria-current", "page");
    else find(`tab-${tab}`).removeAttribute("aria-current");
  }
}

for (const tab of ["images", "training"]) find(`tab-${tab}`).addEventListener("click", () => openTab(tab));
find("theme").addEventListener("click", () => {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  remembered.set("theme", dataset.theme);
});

function compare() {
  const isOn = find("compare").getAttribute("aria-pressed") !== "true";
  find("compare").setAttribute("aria-pressed", isOn);
  viewer.compare(isOn);
}

find("compare").addEventListener("click", compare);
find("zoom-in").addEventListener("click", () => viewer.zoom(1));
find("zoom-out").addEventListener("click", () => viewer.zoom(-1));
find("zoom-fit").addEventListener("click", () => viewer.fit());
find("zoom-actual").addEventListener("click", () => viewer.actualSize());

const parts = { tools, viewer, look, mask, decision, saving, images, compare, choose: () => files.click() };
createKeys(shortcuts(parts), () => !find("images-view").hidden);

/* The server */

heard.trouble = (sentence) => {
  show(find("trouble"), Boolean(sentence));
  find("trouble").textContent = sentence ?? "";
};

heard.signIn = signIn;

async function loadModels() {
  const all = await askJson("models");
  names = new Set(all.map(({ name }) => name));
  models = all.filter(({ needs_masks: needsMasks }) => !needsMasks);
  const select = find("model");
  const before = select.value;
  select.replaceChildren(...models.map(({ name }) => make("option", { value: name }, name)));
  if (models.some(({ name }) => name === before)) select.value = before;
  show(find("model-choice"), models.length > 1);
  show(find("model-name"), models.length === 1);
  find("model-name").textContent = find("model-name").title = models[0]?.name ?? "";
  const areThere = models.length > 0;
  for (const id of ["choose", "choose-empty"]) find(id).disabled = !areThere;
  find("empty-title").textContent = areThere ? "Drop images here" : "No model yet";
  find("empty-text").textContent = areThere
    ? "The model predicts a mask for each. Adjust the threshold, correct the mask, save it."
    : "This server has no segmentation model. A run in training provides one when it has finished.";
  show(find("choose-empty"), areThere);
  show(find("empty-note"), areThere);
  if (!images.chosen) showImage(null);
}

/** The list of runs has changed; a finished run provides a model. */
async function heardOfRuns(runs) {
  show(find("tab-training"), runs.length > 0);
  show(find("tabs"), runs.length > 0);
  const isNew = ({ name, status }) => status === "finished" && !names.has(name);
  if (runs.some(isNew)) await loadModels();
}

async function start() {
  const session = await askJson("session");
  if (session.token_needed && !session.signed_in) await heard.signIn();
  await loadModels();
  find("model").addEventListener("change", () => images.chosen ?? showImage(null));
  await createTraining({ runs: heardOfRuns }).start();
  if (!models.length && !find("tab-training").hidden) openTab("training");
  else await images.restore();
}

start().catch((error) => complain(error.message));
