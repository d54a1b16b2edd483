/**
 * The mask of the selected image: probabilities from the server, thresholded by a worker, with corrections on
 * top; it is uploaded before a download or another request uses it.
 */

import { ask, unpacked } from "./api.js";
import { levelOf } from "./decide.js";
import { Corrections, UNTOUCHED } from "./edit.js";

const REST = 1000; // ms without a change, after which the mask is uploaded

/** Threshold and postprocessing settings of the model. */
export function ownSettings(model) {
  return {
    level: levelOf(model.threshold, model.threshold_of),
    minArea: model.min_area_px,
    fillHoles: model.fill_holes_px,
    keepLargest: model.keep_largest,
  };
}

const sameSettings = (a, b) => Object.keys(a).every((name) => a[name] === b[name]);

/**
 * @param {object} hooks  decided(): labels have changed; measured({areas, pieces}): areas have changed, px of the
 *   image; corrected(): a stroke was drawn or undone; resting(): no change for a while; failed(): the worker
 *   failed.
 */
export function createMask(hooks) {
  const worker = new Worker("decide_worker.js", { type: "module" });
  const packing = new Map(); // callbacks that wait for packed labels, by ticket
  let ticket = 0;
  let present = null; // {entry, model, evidence, labels}
  let asked = null; // settings that the worker applies
  let idle = [];
  let sending = Promise.resolve();
  let resting = null;

  worker.addEventListener("error", hooks.failed);
  worker.addEventListener("message", ({ data }) => {
    if (data.kind === "packed") {
      packing.get(data.ticket)(data.bytes);
      packing.delete(data.ticket);
    }
    if (data.image !== present?.image) return;
    if (data.kind === "decided") {
      present.labels = data.labels;
      const isNewest = asked === present.entry.settings;
      asked = null;
      if (!isNewest) decideNow();
      else idle.splice(0).forEach((resolve) => resolve());
      hooks.decided();
    } else if (data.kind === "measured") {
      const { scale } = present.entry.state.grid;
      hooks.measured({ areas: data.areas.map((area) => area * scale * scale), pieces: data.pieces });
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

  const settled = () => (asked ? new Promise((resolve) => idle.push(resolve)) : Promise.resolve());

  function isOwn({ settings, corrections }) {
    return sameSettings(settings, ownSettings(present.model)) && corrections.isEmpty;
  }

  /** Close the image, and upload its mask if it was changed. */
  async function close() {
    if (!present) return;
    const { entry } = present;
    try {
      if (!entry.removed) await send();
    } finally {
      entry.corrections.rest();
      present = null;
      asked = null;
      idle = [];
    }
  }

  async function open(entry, model) {
    await close();
    const { grid, planes, id } = entry.state;
    const bytes = await unpacked(await ask(`images/${id}/evidence`));
    const evidence = planesOf(bytes, grid, planes, model.background);
    const own = entry.corrections === undefined && entry.state.changed;
    const elsewhere = own ? await unpacked(await ask(`images/${id}/labels`)) : null;
    entry.settings ??= ownSettings(model);
    entry.corrections ??= new Corrections(grid.width, grid.height, (patches) => corrected(entry, patches));
    entry.corrections.wake();
    present = { entry, model, evidence, labels: null, image: ++ticket };
    const { plane } = entry.corrections;
    const message = { kind: "load", image: present.image, evidence, corrections: plane };
    worker.postMessage(message, [evidence.labels.buffer]); // the worker returns the labels to draw
    decideNow();
    if (elsewhere) {
      await settled();
      adopt(elsewhere);
    }
  }

  /** Turn labels that were edited elsewhere into corrections of the thresholded labels. */
  function adopt(labels) {
    const { entry, evidence } = present;
    const plane = labels.map((label, i) => (label === present.labels[i] ? UNTOUCHED : label));
    entry.corrections.adopt(plane);
    const { width, height } = evidence;
    worker.postMessage({ kind: "correct", patches: [{ left: 0, top: 0, width, height, values: plane }] });
    hooks.decided();
    hooks.corrected();
  }

  function corrected(entry, patches) {
    changed(entry);
    if (present?.entry === entry) worker.postMessage({ kind: "correct", patches });
    hooks.corrected();
  }

  function changed(entry) {
    entry.unsent = true;
    clearTimeout(resting);
    resting = setTimeout(hooks.resting, REST);
  }

  /** Upload the mask if the server has another version; one upload at a time. */
  function send() {
    const sent = sending.then(sendNow);
    sending = sent.catch(() => {}); // the caller handles the error
    return sent;
  }

  async function sendNow() {
    if (!present?.entry.unsent) return;
    const { entry } = present;
    await settled();
    entry.unsent = false;
    try {
      if (isOwn(entry)) {
        await ask(`images/${entry.id}/labels`, { method: "DELETE" });
        entry.changed = false;
      } else {
        const body = await new Promise((resolve) => {
          packing.set(++ticket, resolve);
          worker.postMessage({ kind: "pack", ticket });
        });
        const headers = { "Content-Type": "application/gzip" };
        await ask(`images/${entry.id}/labels`, { method: "PUT", body, headers });
        entry.changed = true;
      }
    } catch (error) {
      entry.unsent = true;
      throw error;
    }
  }

  return {
    open,
    close,
    send,
    /** The image of this mask, or null. */
    get entry() {
      return present?.entry ?? null;
    },

    /** Whether settings differ from those of the model. */
    get settingsMoved() {
      return present !== null && !sameSettings(present.entry.settings, ownSettings(present.model));
    },

    /** Apply other settings. */
    set(changes) {
      if (!present) return;
      present.entry.settings = { ...present.entry.settings, ...changes };
      changed(present.entry);
      decideNow();
    },

    get corrections() {
      return present?.entry.corrections ?? null;
    },

    /** Argument of `drawMask`, or null without a mask. */
    get drawn() {
      if (!present?.labels) return null;
      const { evidence, labels, entry } = present;
      return { ...evidence, labels, corrections: entry.corrections.plane, scale: entry.state.grid.scale };
    },
  };
}

/** Planes of labels, probabilities and objects, in the order stated by the server. */
function planesOf(bytes, { width, height }, names, background) {
  const size = width * height;
  const evidence = { width, height, background, objects: null };
  let start = 0;
  for (const name of names) {
    const wide = name === "objects" ? 2 : 1;
    const part = bytes.slice(start, start + wide * size);
    evidence[name] = wide === 2 ? new Uint16Array(part.buffer) : part;
    start += wide * size;
  }
  if (start !== bytes.length) {
    throw new Error("The probabilities from the server have an unexpected size; reload the page.");
  }
  return evidence;
}
