/**
 * Saving of edits: settings and strokes travel to the server, one request per image at a time, whether the image
 * is shown or not. Each names the version of the mask that was edited; the server refuses any other.
 */

import { Refused, askJson } from "./api.js";
import { complain } from "./dom.js";
import { ownSettings } from "./mask.js";

const REST = 300; // ms without a change, after which edits are saved

/** An error of saving: the sentence names the image. */
const notSaved = (entry, error) =>
  new Refused(error.status, `The mask of ${entry.name} is not saved. ${error.message}`);

/**
 * @param {object} hooks  model(entry): the model of an image; shown(entry): its state is to be shown; saved(entry):
 *   the server has its edits.
 */
export function createEdits(hooks) {
  const requests = {
    settings: ({ settings, version }, model) => {
      const { level, minArea, fillHoles, keepLargest } = settings;
      const own = level === ownSettings(model).level;
      const body = {
        version,
        threshold: own ? model.threshold : level / 200,
        min_area_px: minArea,
        fill_holes_px: fillHoles,
        keep_largest: keepLargest,
      };
      const headers = { "Content-Type": "application/json" };
      return ["settings", { method: "PUT", body: JSON.stringify(body), headers }];
    },
    strokes: async ({ corrections, version }) => {
      const body = await packed(corrections.whole());
      const headers = { "Content-Type": "application/gzip" };
      return [`strokes?version=${version}`, { method: "PUT", body, headers }];
    },
  };

  /** Save an image, soon if it changes no more. @param {"settings"|"strokes"} kind  What was changed. */
  function changed(entry, kind) {
    entry.unsaved.add(kind);
    entry.exported = false;
    hooks.shown(entry);
    clearTimeout(entry.rest);
    entry.rest = setTimeout(() => save(entry).catch((error) => complain(error.message)), REST);
  }

  /** Save what is not saved yet. Rejects with a sentence if that fails. */
  function save(entry) {
    clearTimeout(entry.rest);
    const saved = (entry.saving ?? Promise.resolve()).then(() => saveNow(entry));
    entry.saving = saved.catch(() => {}); // the caller handles the error
    return saved;
  }

  async function saveNow(entry) {
    if (!entry.id || entry.removed || entry.unsaved.size === 0) return;
    for (const kind of Object.keys(requests)) {
      if (!entry.unsaved.has(kind)) continue;
      entry.unsaved.delete(kind);
      entry.sending = true;
      try {
        const [path, options] = await requests[kind](entry, hooks.model(entry));
        const state = await askJson(`images/${entry.id}/${path}`, options);
        Object.assign(entry, { state, version: state.version, changed: state.changed, problem: null });
      } catch (error) {
        if (entry.removed) return;
        entry.unsaved.add(kind);
        entry.problem = error.message;
        throw notSaved(entry, error);
      } finally {
        entry.sending = false;
        if (!entry.removed) hooks.shown(entry);
      }
    }
    hooks.saved(entry);
  }

  return { changed, save };
}

/** Whether the server does not have all edits of an image. */
export const isUnsaved = (entry) => entry.unsaved.size > 0 || entry.sending === true;

/** Whether corrections of an image would be lost with it: they were neither downloaded nor kept. */
export function isPrecious(entry) {
  const drawn = entry.corrections ? !entry.corrections.isEmpty : entry.state?.strokes;
  return entry.unsaved.has("strokes") || (Boolean(drawn) && !entry.exported);
}

function packed(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
