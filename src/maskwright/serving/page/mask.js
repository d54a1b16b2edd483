/**
 * The mask of the selected image: probabilities from the server, thresholded by a worker, with corrections on
 * top. Where the preview of the worker is not exact, the mask of the server replaces it as soon as edits are saved.
 */

import { Refused, ask, askJson, unpacked } from "./api.js";
import { levelOf } from "./decide.js";
import { Corrections, IGNORED } from "./edit.js";

/** Threshold and postprocessing settings, as the server states them for a model or an image. */
function settingsOf(given, thresholdOf) {
  return {
    level: levelOf(given.threshold, thresholdOf),
    minArea: given.min_area_px,
    fillHoles: given.fill_holes_px,
    keepLargest: given.keep_largest,
  };
}

export const ownSettings = (model) => settingsOf(model, model.threshold_of);

const sameSettings = (a, b) => Object.keys(a).every((name) => a[name] === b[name]);

/**
 * @param {object} hooks  decided(): labels have changed; measured({areas, pieces, isExact}): areas have changed, px
 *   of the image; changed(entry, kind): settings or strokes have changed; failed(): the worker failed.
 */
export function createMask(hooks) {
  const worker = new Worker("decide_worker.js", { type: "module" });
  let number = 0; // of the image that the worker has
  let present = null; // {entry, model, evidence, labels, objects, exactFor, isMeasured, image}
  let asked = null; // settings that the worker applies
  let loading = null; // cancels requests of the image that is opened

  worker.addEventListener("error", hooks.failed);
  worker.addEventListener("message", ({ data }) => {
    if (data.image !== present?.image) return;
    const { entry, evidence } = present;
    if (data.kind === "decided") {
      const isNewest = asked === entry.settings;
      asked = null;
      if (!isNewest) decideNow();
      if (present.exactFor === entry.settings) return;
      Object.assign(present, { labels: data.labels, objects: evidence.objects });
      hooks.decided();
    } else if (data.kind === "measured" && !present.isMeasured) {
      const area = entry.state.grid.scale ** 2;
      const areas = data.areas.map((value) => value * area);
      hooks.measured({ areas, pieces: data.pieces, isExact: !isPreview() });
    }
  });

  /** Apply the latest settings; intermediate settings are skipped. */
  function decideNow() {
    if (asked) return;
    asked = present.entry.settings;
    const area = present.entry.state.grid.scale ** 2;
    const { level, minArea, fillHoles, keepLargest } = asked;
    const settings = { level, minArea: minArea / area, fillHoles: fillHoles / area, keepLargest };
    worker.postMessage({ kind: "decide", settings });
  }

  /** Whether the worker cannot tell all pixels and objects exactly. */
  function isPreview() {
    const { entry, evidence, model } = present;
    if (entry.state.grid.scale > 1) return true;
    const isOwn = entry.settings.minArea === ownSettings(model).minArea;
    return evidence.objects !== null && !(isOwn && entry.corrections.isEmpty);
  }

  /** Close the image at once; its edits are saved all the same. */
  function close() {
    loading?.abort();
    loading = null;
    present?.entry.corrections.rest();
    present = asked = null;
  }

  async function open(entry, model) {
    close();
    loading = new AbortController();
    const { signal } = loading;
    const { grid, planes, id } = entry.state;
    const get = async (name) => unpacked(await ask(`images/${id}/${name}`, { signal }));
    const bytes = await get("evidence");
    const strokes = !entry.corrections && entry.state.strokes ? await get("strokes") : null;
    signal.throwIfAborted();
    const evidence = { ...planesOf(bytes, grid, planes), background: model.background };
    entry.settings ??= settingsOf(entry.state.settings, model.threshold_of);
    entry.corrections ??= new Corrections(grid.width, grid.height, (patches) => corrected(entry, patches));
    if (strokes) entry.corrections.adopt(strokes);
    entry.corrections.wake();
    present = { entry, model, evidence, labels: null, objects: null, image: ++number };
    const { plane } = entry.corrections;
    const message = { kind: "load", image: present.image, evidence, corrections: plane };
    worker.postMessage(message, [evidence.labels.buffer]); // the worker returns the labels to draw
    decideNow();
    refine(entry);
  }

  /** Show what the server decided at full resolution, if the edits are saved and the preview is not exact. */
  async function refine(entry) {
    if (present?.entry !== entry || !isPreview() || entry.unsaved.size > 0) return;
    const shown = present;
    const { settings, version, id } = entry;
    try {
      const { classes } = await askJson(`images/${id}/areas`);
      const { grid, planes } = entry.state;
      const names = planes.filter((name) => name !== "probabilities");
      const exact = planesOf(await unpacked(await ask(`images/${id}/labels`)), grid, names);
      const isLate = entry.settings !== settings || entry.version !== version || entry.unsaved.size > 0;
      if (present !== shown || isLate) return;
      Object.assign(present, { ...exact, exactFor: settings, isMeasured: true });
      hooks.decided();
      hooks.measured({ ...sizesOf(classes, entry.state), isExact: true });
    } catch (error) {
      if (!(error instanceof Refused)) throw error; // too large for the server: the preview stays
    }
  }

  function corrected(entry, patches) {
    if (present?.entry === entry) {
      present.isMeasured = false;
      worker.postMessage({ kind: "correct", patches });
    }
    hooks.changed(entry, "strokes");
  }

  return {
    open,
    close,
    refine,

    /** Whether settings differ from those of the model. */
    get settingsMoved() {
      return present !== null && !sameSettings(present.entry.settings, ownSettings(present.model));
    },

    /** Apply other settings. */
    set(changes) {
      if (!present) return;
      present.entry.settings = { ...present.entry.settings, ...changes };
      present.isMeasured = false;
      hooks.changed(present.entry, "settings");
      decideNow();
    },

    get corrections() {
      return present?.entry.corrections ?? null;
    },

    /** Argument of `drawMask`, or null without a mask. */
    get drawn() {
      if (!present?.labels) return null;
      const { evidence, labels, objects, entry } = present;
      const { plane } = entry.corrections;
      return { ...evidence, labels, objects, corrections: plane, scale: entry.state.grid.scale };
    },
  };
}

/** Planes of labels, probabilities and objects, in the order stated by the server. */
function planesOf(bytes, { width, height }, names) {
  const size = width * height;
  const planes = { width, height, objects: null };
  let start = 0;
  for (const name of names) {
    const wide = name === "objects" ? 2 : 1;
    const part = bytes.slice(start, start + wide * size);
    planes[name] = wide === 2 ? new Uint16Array(part.buffer) : part;
    start += wide * size;
  }
  if (start !== bytes.length) {
    throw new Error("The mask from the server has an unexpected size; reload the page.");
  }
  return planes;
}

/** Areas and numbers by label, from the table of the server; the rest of the image is ignored. */
function sizesOf(classes, { width, height }) {
  const areas = new Float64Array(256);
  const pieces = new Uint32Array(256);
  areas[IGNORED] = width * height;
  for (const { label, area_px: area, components, objects } of classes) {
    areas[label] = area;
    areas[IGNORED] -= area;
    pieces[label] = components ?? objects ?? 0;
  }
  return { areas, pieces };
}
