/** Entry point: creates the parts of the page and connects them. */

import { askJson, heard } from "./api.js";
import { createAudit } from "./audit.js";
import { attempt, complain, count, counted, find, listed, make, megabytes, remembered, show, tell } from "./dom.js";
import { filesOf } from "./dropped.js";
import { IGNORED, UNTOUCHED } from "./edit.js";
import { createEdits } from "./edits.js";
import { createImages } from "./images.js";
import { createKeys } from "./keys.js";
import { overlaps } from "./layers.js";
import { createMask, ownSettings, settingsIn } from "./mask.js";
import { createClasses, createDecision, createLook } from "./panels.js";
import { createRegions } from "./regions.js";
import { createSaving } from "./saving.js";
import { shortcuts } from "./shortcuts.js";
import { signIn } from "./sign_in.js";
import { createTools } from "./tools.js";
import { createTrust } from "./trust.js";
import { createTraining } from "./training.js";
import { createViewer } from "./viewer.js";

let models = []; // models that predict masks
let names = new Set(); // of all models
let limits = null; // of the server
let opened = null; // the displayed image
let asked = null; // the image whose mask is opened

const modelOf = (entry) => models.find(({ name }) => name === entry.model);
const redraw = () => viewer.redraw();

const look = createLook(redraw);
const classes = createClasses(look, redraw, pickLayer);
const decision = createDecision(
  (changes) => {
    mask.set(changes);
    shownSettings();
  },
  () => attempt(applyToAll),
);
const edits = createEdits({
  shown: (entry) => images.refresh(entry),
  failed: (entry, error) => images.failed(entry, error),
  saved: (entry) => {
    if (entry !== images.chosen) return;
    regions.set(entry.state, modelOf(entry));
    attempt(() => mask.refine(entry.layer));
  },
});
const mask = createMask({
  decided: () => {
    redraw();
    shownSettings();
  },
  measured: (sizes) => classes.measured(sizes, images.chosen.layer.model.background),
  changed: (layer, kind) => {
    edits.changed(layer, kind);
    redraw();
    tools.refresh();
    shownSettings();
  },
  failed: () =>
    complain("The browser could not process the mask, possibly for lack of memory; reload the page."),
});
const tools = createTools({
  mask: () => mask.drawn,
  corrections: () => mask.corrections,
  redraw,
  viewer: () => viewer,
});
const trust = createTrust(redraw);
const viewer = createViewer({
  mask: () => mask.drawn,
  look: () => Object.assign(look, { bounds: trust.isDrawn }),
  paint: tools.paint,
  point: readout,
});
const images = createImages({
  model: () => find("model").value,
  described: (name) => models.find((model) => model.name === name),
  chosen: showImage,
  arrived,
  uploaded: (entry) => attempt(() => edits.save(entry)),
  limits: () => limits,
});
const regions = createRegions({
  entry: () => images.chosen,
  save: edits.save,
  look: viewer.lookAt,
  arrived: (entry, state) => {
    Object.assign(entry, { state });
    if (entry === images.chosen) regions.set(state, modelOf(entry));
  },
});
const saving = createSaving({
  entry: () => images.chosen,
  done: () => images.done,
  save: edits.save,
  check: (entry) => images.check(entry).catch((error) => images.failed(entry, error)),
  decide: (entry) => (entry.state.decided ? undefined : regions.decide(entry)),
});

const audit = createAudit({
  model: () => find("model").value,
  entryOf: (number, model) =>
    images.all.find((entry) => entry.finding === number && entry.model === model && entry.status !== "failed"),
  stored: (state, given) => images.choose(images.addStored(state, given)),
  chosen(entry) {
    images.choose(entry);
    viewer.lookAt(entry.box);
  },
});

/** Show another image at once, without the mask and the tools of the one before, and its mask when it is there. */
function showImage(entry) {
  tools.release();
  mask.close();
  opened = asked = null;
  viewer.open(null);
  show(find("empty"), !entry);
  for (const part of ["tools", "zooms", "tool-options"]) show(find(part), Boolean(entry));
  document.title = entry ? `${entry.name} – Maskwright` : "Maskwright";
  find("stage").setAttribute("aria-label", entry ? `${entry.name}, image and mask` : "Image and mask");
  audit.mark(entry?.finding);
  if (entry && modelOf(entry)) find("model").value = entry.model;
  const model = entry ? modelOf(entry) : models.find(({ name }) => name === find("model").value);
  if (model) suitMask(model, entry);
  regions.set(null);
  saving.suit(null);
  tools.refresh();
  if (!entry) warn([]);
  trust.set(entry?.state);
  if (entry) arrived(entry);
  shownSettings();
}

/** Show the classes and the settings of the mask of an image, or of the first one of a model. */
function suitMask(model, entry) {
  const layer = entry?.layer.model ?? model.layers[0];
  classes.set(model, layer);
  tools.suit(layer);
  decision.suit(layer, entry?.state ?? null);
  decision.set(entry?.layer.settings ?? ownSettings(layer), true);
}

/** Show and edit another layer of the image that is shown. */
function pickLayer(place) {
  const entry = images.chosen;
  if (!entry) return;
  tools.release();
  mask.close();
  entry.layer = entry.layers[place];
  asked = null;
  suitMask(modelOf(entry), entry);
  find("classes").querySelectorAll("[name=layer]")[place].focus();
  tools.refresh();
  shownSettings();
  redraw();
  arrived(entry);
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
    unread: reason ?? "Loading the image",
  };
  show(find("busy"), status !== "done");
  find("busy-text").textContent = texts[status] ?? "";
  find("busy-share").value = progress;
  show(find("busy-share"), !reason);
  warn(state?.warnings ?? []);
  trust.set(state);
  if (state && opened !== entry && !reason) {
    opened = entry;
    viewer.open(state, entry.box);
    decision.suit(entry.layer.model, state);
  }
  if (status === "done" && asked !== entry) openMask(entry);
}

/** Show, as long as an image is shown, in what it is unlike the images of training. */
function warn(sentences) {
  const place = find("unlike");
  const isNew = sentences.join() !== [...place.children].map(({ textContent }) => textContent).join();
  if (isNew) place.replaceChildren(...sentences.map((sentence) => make("p", {}, sentence)));
  show(place, sentences.length > 0);
}

/** Open the mask of the image that is shown. */
async function openMask(entry) {
  asked = entry;
  const model = modelOf(entry);
  const { layer } = entry;
  const isShown = () => entry === images.chosen && layer === entry.layer;
  await attempt(async () => {
    try {
      await Promise.all([mask.open(layer), images.check(entry)]);
    } catch (error) {
      if (asked === entry && isShown()) {
        asked = null;
        mask.close();
        redraw();
      }
      images.failed(entry, error);
      throw error;
    }
    if (!isShown()) return;
    saving.suit(model);
    regions.set(entry.state, model);
    tools.refresh();
    shownSettings();
    if (!overlaps(model)) return;
    await edits.save(entry); // the server draws the other layers
    const areas = await mask.showOthers(layer);
    if (!areas || !isShown()) return;
    classes.known(areas, entry.layers.indexOf(layer));
    redraw();
  });
}

/** Images of the model of the one that is shown, which have a mask or get one. */
function likeChosen() {
  const { model } = images.chosen;
  return images.all.filter((entry) => entry.model === model && entry.status !== "unread" && !entry.reason);
}

/** Give all images of the model the settings of the one that is shown. */
async function applyToAll() {
  const { chosen } = images;
  const others = likeChosen().filter((entry) => entry !== chosen);
  for (const layer of others.flatMap(({ layers }) => layers)) {
    const [same] = chosen.layers.filter(({ name }) => name === layer.name);
    layer.settings = { ...settingsIn(same) };
    edits.changed(layer, "settings");
  }
  let applied = 1;
  for (const entry of others) await attempt(() => edits.save(entry).then(() => applied++));
  tell(`The settings were applied to ${counted(applied, "image")}.`);
}

function shownSettings() {
  const entry = images.chosen;
  const isThere = mask.drawn !== null && Boolean(entry?.layer.settings);
  if (isThere) decision.set(entry.layer.settings, !mask.settingsMoved);
  for (const input of find("decision").querySelectorAll("input")) input.disabled = !isThere;
  if (!isThere) find("reset-settings").disabled = true;
  find("apply-all").disabled = !isThere || likeChosen().length < 2;
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
    const { model } = images.chosen.layer;
    parts.push(label === IGNORED ? "ignored" : model.classes[label].name);
    parts.push(corrected === UNTOUCHED ? (drawn.probabilities[i] / 200).toFixed(2) : "corrected");
    const beside = namesOfOthers(drawn.others, i);
    if (beside.length) parts.push(`also ${beside.join(", ")}`);
    if (drawn.objects?.[i] && label !== model.background) parts.push(`object ${count(drawn.objects[i])}`);
  }
  find("readout").textContent = parts.join("  ·  ");
}

/** Names of the other layers that a pixel of the mask belongs to. */
function namesOfOthers(others, i) {
  if (!others) return [];
  const isInside = (place) => (others.planes[place >> 3][i] >> (place & 7)) & 1;
  const { layers } = images.chosen;
  return layers.filter((_, place) => place !== others.chosen && isInside(place)).map(({ name }) => name);
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
  attempt(async () => {
    const { files: dropped, skipped } = await filesOf(event.dataTransfer.items, files.accept);
    images.add(dropped);
    if (skipped.length) {
      const files = counted(skipped.length, "file");
      complain(`${files} of the folder without the ending of an image, not added: ${listed(skipped)}.`);
    } else if (!dropped.length) complain("The folder contains no images.");
  });
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
  ({ limits } = session);
  find("size-limit").textContent = ` Up to ${megabytes(limits.body_bytes)} each (--max-body-mb).`;
  if (session.token_needed && !session.signed_in) await heard.signIn();
  await loadModels();
  find("model").addEventListener("change", async ({ target }) => {
    const { chosen } = images;
    if (chosen) await attempt(() => images.predictWith(chosen, target.value));
    if (images.chosen) target.value = images.chosen.model;
    else showImage(null);
  });
  await attempt(audit.start);
  images.restore();
  await createTraining({ runs: heardOfRuns }).start();
  if (!models.length && !find("tab-training").hidden) openTab("training");
}

start().catch((error) => complain(error.message));
