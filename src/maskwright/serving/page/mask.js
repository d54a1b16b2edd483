/**
 * The mask of the chosen image: evidence from the server, decided by a worker, corrections on top, and sent to
 * the server before anything is made of it.
 */

import { ask, unpacked } from "./api.js";
import { levelOf } from "./decide.js";
import { Corrections, UNTOUCHED } from "./edit.js";

const REST = 1000; // ms without a change after which the server gets the mask

/** What the model's own mask is decided with. */
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
 * @param {object} hooks  decided(): labels are new; measured({areas, pieces}): so are areas, px of the image;
 *   corrected(): a stroke was drawn or taken back; resting(): nothing has changed for a while; failed(): the
 *   worker did.
 */
export function createMask(hooks) {
  const worker = new Worker("decide_worker.js", { type: "module" });
  const packing = new Map(); // functions that wait for packed labels, by ticket
  let ticket = 0;
  let present = null; // {entry, model, evidence, labels}
  let asked = null; // settings that the worker decides with
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

  /** Decide with the newest settings; what was asked for in the meantime is left out. */
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

  /** Let go of the present image, whose mask the server gets if it was changed. */
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
    worker.postMessage(message, [evidence.labels.buffer]); // what is drawn here is what it decides
    decideNow();
    if (elsewhere) {
      await settled();
      adopt(elsewhere);
    }
  }

  /** Take labels that this page did not draw as corrections of what it decides. */
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

  /** Let the server have the mask as it is here, if it has another; once at a time. */
  function send() {
    const sent = sending.then(sendNow);
    sending = sent.catch(() => {}); // whoever asked hears of it
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
    /** The image whose mask this is, or null. */
    get entry() {
      return present?.entry ?? null;
    },

    /** Whether it is decided otherwise than by the model itself. */
    get settingsMoved() {
      return present !== null && !sameSettings(present.entry.settings, ownSettings(present.model));
    },

    /** Decide anew with other settings. */
    set(changes) {
      if (!present) return;
      present.entry.settings = { ...present.entry.settings, ...changes };
      changed(present.entry);
      decideNow();
    },

    get corrections() {
      return present?.entry.corrections ?? null;
    },

    /** What `drawMask` takes, or null while there is none. */
    get drawn() {
      if (!present?.labels) return null;
      const { evidence, labels, entry } = present;
      return { ...evidence, labels, corrections: entry.corrections.plane, scale: entry.state.grid.scale };
    },
  };
}

/** Planes of the evidence, in the order that the server names them. */
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
    throw new Error("The server's evidence has another size than it says; load the page anew.");
  }
  return evidence;
}
