/**
 * Saving of edits: settings and strokes travel to the server, one request per image at a time, whether the image
 * is shown or not. Each names the version of the mask that was edited; the server refuses any other.
 */

import { Refused, askJson } from "./api.js";
import { complain } from "./dom.js";
import { isUnsaved, pathOf } from "./layers.js";
import { ownSettings } from "./mask.js";

const REST = 300; // ms without a change, after which edits are saved

/** An error of saving: the sentence names the image. */
const notSaved = (entry, error) =>
  new Refused(error.status, `The mask of ${entry.name} is not saved. ${error.message}`, error.code);

/**
 * @param {object} hooks  shown(entry): the state of an image is to be shown; saved(entry): the server has its edits;
 *   failed(entry, error): a request has failed.
 */
export function createEdits(hooks) {
  const requests = {
    settings: ({ settings, version, model }) => {
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

  /** Save a layer, soon if its image changes no more. @param {"settings"|"strokes"} kind  What was changed. */
  function changed(layer, kind) {
    const { entry } = layer;
    layer.unsaved.add(kind);
    layer.exported = false;
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
    if (!entry.id || entry.removed || !isUnsaved(entry)) return;
    for (const layer of entry.layers) await saveLayer(layer);
    if (!entry.removed) hooks.saved(entry);
  }

  async function saveLayer(layer) {
    const { entry } = layer;
    for (const kind of Object.keys(requests)) {
      if (!layer.unsaved.has(kind) || entry.removed) continue;
      layer.unsaved.delete(kind);
      layer.sending = true;
      try {
        const [path, options] = await requests[kind](layer);
        entry.state = await askJson(pathOf(layer, path), options);
        const state = entry.state.layers[entry.layers.indexOf(layer)];
        Object.assign(layer, { state, version: state.version, changed: state.changed, problem: null });
      } catch (error) {
        if (entry.removed) return;
        layer.unsaved.add(kind);
        layer.problem = error.message;
        hooks.failed(entry, error);
        throw notSaved(entry, error);
      } finally {
        layer.sending = false;
        if (!entry.removed) hooks.shown(entry);
      }
    }
  }

  return { changed, save };
}

function packed(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
