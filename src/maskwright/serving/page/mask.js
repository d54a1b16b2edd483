/**
 * The mask of the selected image: probabilities from the server, thresholded by a worker, with corrections on
 * top. Where the preview of the worker is not exact, the mask of the server replaces it as soon as edits are saved.
 */

import { Refused, ask, askJson, unpacked } from "./api.js";
import { levelOf } from "./decide.js";
import { Corrections, IGNORED } from "./edit.js";
import { overlaps, pathOf } from "./layers.js";
import { hasBounds } from "./trust.js";

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

/** Settings of a layer: as changed on the page, else as the server has them, else those of the model. */
export const settingsIn = ({ settings, state, model }) =>
  settings ?? settingsOf(state?.settings ?? model, model.threshold_of);

const sameSettings = (a, b) => Object.keys(a).every((name) => a[name] === b[name]);

/**
 * @param {object} hooks  decided(): labels have changed; measured({areas, pieces, isExact}): areas have changed, px
 *   of the image; changed(layer, kind): settings or strokes have changed; failed(): the worker failed.
 */
export function createMask(hooks) {
  const worker = new Worker("decide_worker.js", { type: "module" });
  let number = 0; // of the image that the worker has
  let present = null; // {layer, evidence, labels, objects, others, bounds, exactFor, isMeasured, image}
  let asked = null; // settings that the worker applies
  let loading = null; // cancels requests of the image that is opened

  worker.addEventListener("error", hooks.failed);
  worker.addEventListener("message", ({ data }) => {
    if (data.image !== present?.image) return;
    const { layer, evidence } = present;
    if (data.kind === "decided") {
      const isNewest = asked === layer.settings;
      asked = null;
      if (!isNewest) decideNow();
      if (present.exactFor === layer.settings) return;
      Object.assign(present, { labels: data.labels, objects: evidence.objects });
      hooks.decided();
    } else if (data.kind === "measured" && !present.isMeasured) {
      const area = layer.entry.state.grid.scale ** 2;
      const areas = data.areas.map((value) => value * area);
      hooks.measured({ areas, pieces: data.pieces, isExact: !isPreview() });
    }
  });

  /** Apply the latest settings; intermediate settings are skipped. */
  function decideNow() {
    if (asked) return;
    asked = present.layer.settings;
    const area = present.layer.entry.state.grid.scale ** 2;
    const { level, minArea, fillHoles, keepLargest } = asked;
    const settings = { level, minArea: minArea / area, fillHoles: fillHoles / area, keepLargest };
    worker.postMessage({ kind: "decide", settings });
  }

  /** Whether the worker cannot tell all pixels and objects exactly. */
  function isPreview() {
    const { layer, evidence } = present;
    if (layer.entry.state.grid.scale > 1) return true;
    const isOwn = layer.settings.minArea === ownSettings(layer.model).minArea;
    return evidence.objects !== null && !(isOwn && layer.corrections.isEmpty);
  }

  /** Close the image at once; its edits are saved all the same. */
  function close() {
    loading?.abort();
    loading = null;
    present?.layer.corrections.rest();
    present = asked = null;
  }

  async function open(layer) {
    close();
    loading = new AbortController();
    const { signal } = loading;
    const { grid, planes } = layer.entry.state;
    const get = async (name) => unpacked(await ask(pathOf(layer, name), { signal }));
    const bytes = await get("evidence");
    const strokes = !layer.corrections && layer.state.strokes ? await get("strokes") : null;
    const bounds = hasBounds(layer.entry) ? await boundsOf(layer.entry, signal) : [];
    signal.throwIfAborted();
    const evidence = { ...planesOf(bytes, grid, planes), background: layer.model.background };
    layer.settings = settingsIn(layer);
    layer.corrections ??= new Corrections(grid.width, grid.height, (patches) => corrected(layer, patches));
    if (strokes) layer.corrections.adopt(strokes);
    layer.corrections.wake();
    present = { layer, evidence, labels: null, objects: null, others: null, bounds, image: ++number };
    const { plane } = layer.corrections;
    const message = { kind: "load", image: present.image, evidence, corrections: plane };
    worker.postMessage(message, [evidence.labels.buffer]); // the worker returns the labels to draw
    decideNow();
    refine(layer);
  }

  /** Show what the server decided at full resolution, if the edits are saved and the preview is not exact. */
  async function refine(layer) {
    if (present?.layer !== layer || !isPreview() || layer.unsaved.size > 0) return;
    const shown = present;
    const { settings, version, entry } = layer;
    try {
      const { classes } = await askJson(pathOf(layer, "areas"));
      const { grid, planes } = entry.state;
      const names = planes.filter((name) => name !== "probabilities");
      const exact = planesOf(await unpacked(await ask(pathOf(layer, "labels"))), grid, names);
      const isLate = layer.settings !== settings || layer.version !== version || layer.unsaved.size > 0;
      if (present !== shown || isLate) return;
      Object.assign(present, { ...exact, exactFor: settings, isMeasured: true });
      hooks.decided();
      hooks.measured({ ...sizesOf(classes, entry.state), isExact: true });
    } catch (error) {
      if (!(error instanceof Refused)) throw error; // too large for the server: the preview stays
    }
  }

  /**
   * Outline the other layers, as the server has them.
   * @returns {Promise<object[]|null>} Areas of all classes; null if the image has one mask, or is no longer shown.
   */
  async function showOthers(layer) {
    const { entry } = layer;
    if (!overlaps(entry)) return null;
    try {
      const { width, height } = entry.state.grid;
      const bytes = await unpacked(await ask(`images/${entry.id}/layers`));
      const { classes } = await askJson(`images/${entry.id}/areas`);
      if (present?.layer !== layer) return null;
      const size = width * height;
      const planes = Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
      present.others = { planes, chosen: entry.layers.indexOf(layer) };
      return classes;
    } catch (error) {
      if (!(error instanceof Refused)) throw error; // too large for the server: the layer is shown alone
      return null;
    }
  }

  function corrected(layer, patches) {
    if (present?.layer === layer) {
      present.isMeasured = false;
      worker.postMessage({ kind: "correct", patches });
    }
    hooks.changed(layer, "strokes");
  }

  return {
    open,
    close,
    refine,
    showOthers,

    /** Whether settings differ from those of the model. */
    get settingsMoved() {
      return present !== null && !sameSettings(present.layer.settings, ownSettings(present.layer.model));
    },

    /** Apply other settings. */
    set(changes) {
      if (!present) return;
      present.layer.settings = { ...present.layer.settings, ...changes };
      present.isMeasured = false;
      hooks.changed(present.layer, "settings");
      decideNow();
    },

    get corrections() {
      return present?.layer.corrections ?? null;
    },

    /** Argument of `drawMask`, or null without a mask. */
    get drawn() {
      if (!present?.labels) return null;
      const { evidence, labels, objects, others, bounds, layer } = present;
      const { plane } = layer.corrections;
      const { scale } = layer.entry.state.grid;
      return { ...evidence, labels, objects, others, bounds, corrections: plane, scale };
    },
  };
}

/** Outer (1) and inner (2) masks of each class with promises, as bits of a plane, and the color of the class. */
async function boundsOf({ id, state, layers }, signal) {
  const bytes = await unpacked(await ask(`images/${id}/bounds`, { signal }));
  const size = state.grid.width * state.grid.height;
  const colors = layers.flatMap(({ model }) => model.classes).map(({ name, color }) => [name, color]);
  const known = Object.fromEntries(colors);
  return state.trust.bounds.map((name, i) => ({
    color: known[name],
    plane: bytes.subarray(i * size, (i + 1) * size),
  }));
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
