/**
 * The masks of an image: the only one, or of classes that overlap one for each, a layer. Each has settings,
 * corrections and a version of its own.
 */

/**
 * Layers of an image, as the model describes them.
 * @returns {object[]} entry; name, "" for the only mask; model: its classes, background and settings; state: what the
 *   server says of it, or null; settings and corrections, once it was opened; version; unsaved: kinds of edits.
 */
export function layersOf(entry, { layers }) {
  return layers.map((model) => ({
    entry,
    name: model.name,
    model,
    state: null,
    settings: null,
    corrections: null,
    version: 0,
    unsaved: new Set(),
  }));
}

/** Path of a part of a layer, below `api/`. */
export function pathOf({ entry, name }, part) {
  if (!name) return `images/${entry.id}/${part}`;
  const separator = part.includes("?") ? "&" : "?";
  return `images/${entry.id}/${part}${separator}layer=${encodeURIComponent(name)}`;
}

/** Take what the server says of the layers of an image. */
export function takeLayers({ layers }, state) {
  for (const [i, layer] of layers.entries()) {
    layer.state = state.layers[i];
    layer.version = Math.max(layer.version, layer.state.version); // an answer may be older than the last edit
    layer.changed ??= layer.state.changed;
    layer.exported ??= layer.state.saved;
  }
}

/** Whether a model has a layer for each of several classes. */
export const overlaps = ({ layers }) => Boolean(layers[0]?.name);

/** Whether the server does not have all edits of an image. */
export const isUnsaved = ({ layers }) => layers.some(({ unsaved, sending }) => unsaved.size > 0 || sending);

/** Whether a mask of an image may differ from that of the model. */
export const isChanged = ({ layers }) => layers.some(({ changed }) => changed);

/** Why the edits of an image could not be saved, or null. */
export const problemOf = ({ layers }) => layers.find(({ problem }) => problem)?.problem ?? null;

/** Whether corrections of an image would be lost with it: they were neither downloaded nor kept. */
export const isPrecious = ({ layers }) =>
  layers.some(({ corrections, state, unsaved, exported }) => {
    const isDrawn = corrections ? !corrections.isEmpty : state?.strokes;
    return unsaved.has("strokes") || (Boolean(isDrawn) && !exported);
  });

/** Function that marks the masks of an image as downloaded or kept, but for those that were edited meanwhile. */
export function exporting({ layers }) {
  const versions = layers.map(({ version }) => version);
  return () => layers.forEach((layer, i) => (layer.exported ||= layer.version === versions[i]));
}
