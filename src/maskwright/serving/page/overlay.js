/**
 * The mask over the image, drawn in screen pixels: each looks up the label below it. The cost depends on the
 * size of the screen, not on that of the image.
 */

import { IGNORED, UNTOUCHED } from "./edit.js";

const EDGE = 2; // width of outlines, px of the page
const DASH = 6; // length of the dashes of outer masks, px of the page
const OUTER = 1; // bits of bounds
const INNER = 2;
const GRAY = "#808080"; // color of ignored pixels, as in `Labels`

/**
 * @param {object} mask  width, height, labels, corrections (a plane or null), objects, probabilities; others: bits
 *   of all layers, in planes of eight, and which is the mask itself, or null; bounds: color of a class, and plane of
 *   its outer (1) and inner (2) mask.
 * @param {object} view  left, top: origin of the canvas in the mask; perPixel: mask pixels per canvas pixel; ratio:
 *   canvas pixels per CSS pixel; from: first column that is drawn.
 * @param {object} look  mode ("fill", "outline", "heat"), opacity, colors ("#rrggbb" by label), shown (flags by
 *   label); layers: color and whether it is shown of each layer; bounds: whether to draw outer and inner masks.
 */
export function drawMask(context, mask, view, look) {
  const { width, height } = context.canvas;
  if (!width || !height) return;
  const picture = pictureOf(context, width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  const columns = places(width, view.left, view.perPixel, mask.width);
  const rows = places(height, view.top, view.perPixel, mask.height);
  for (let x = 0; x < Math.min(width, view.from); x++) columns[x] = -1;
  const edge = Math.round(EDGE * view.ratio);
  if (look.mode === "heat") drawHeat(pixels, mask, columns, rows, look);
  else drawLabels(pixels, mask, columns, rows, look, edge);
  if (mask.others && look.opacity > 0) drawOthers(pixels, mask, columns, rows, look, Math.ceil(edge / 2));
  if (look.bounds && !look.hidden) {
    for (const bound of mask.bounds) {
      drawBound(pixels, bound, mask.width, columns, rows, Math.ceil(edge / 2), DASH * view.ratio);
    }
  }
  context.putImageData(picture, 0, 0);
}

/** Outline of the inner mask of a class, and in dashes that of its outer mask. */
function drawBound(pixels, { color, plane }, stride, columns, rows, edge, dash) {
  const width = columns.length;
  const line = packedColor(color, 1);
  const codes = new Uint8Array(width * rows.length);
  for (let y = 0; y < rows.length; y++) {
    if (rows[y] < 0) continue;
    for (let x = 0; x < width; x++) {
      if (columns[x] >= 0) codes[y * width + x] = plane[rows[y] * stride + columns[x]];
    }
  }
  for (let y = 0; y < rows.length; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const code = codes[i];
      if (code === 0) continue;
      let around = code;
      if (x >= edge) around &= codes[i - edge];
      if (x + edge < width) around &= codes[i + edge];
      if (y >= edge) around &= codes[i - edge * width];
      if (y + edge < rows.length) around &= codes[i + edge * width];
      const ending = code & ~around;
      const isDash = Math.floor((x + y) / dash) % 2 === 0;
      if (ending & INNER || (ending & OUTER && isDash)) pixels[i] = line;
    }
  }
}

let kept = null;

function pictureOf(context, width, height) {
  if (kept?.width !== width || kept.height !== height) kept = context.createImageData(width, height);
  return kept;
}

/** Column or row of the mask for each column or row of the canvas; -1 outside. */
function places(length, first, perPixel, size) {
  const found = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const place = Math.floor(first + (i + 0.5) * perPixel);
    found[i] = place >= 0 && place < size ? place : -1;
  }
  return found;
}

function drawHeat(pixels, mask, columns, rows, { opacity }) {
  const table = heatColors(opacity);
  const width = columns.length;
  for (let y = 0; y < rows.length; y++) {
    const row = rows[y] * mask.width;
    for (let x = 0; x < width; x++) {
      const inside = rows[y] >= 0 && columns[x] >= 0;
      pixels[y * width + x] = inside ? table[mask.probabilities[row + columns[x]]] : 0;
    }
  }
}

function drawLabels(pixels, mask, columns, rows, look, edge) {
  const width = columns.length;
  const height = rows.length;
  const keys = keysOf(mask, columns, rows);
  const filled = look.mode === "fill";
  const table = labelColors(look);
  for (let i = 0; i < pixels.length; i++) pixels[i] = filled ? table[keys[i] & 255] : 0;
  // Filled regions have a thinner, more opaque outline, which separates touching objects.
  const lines = labelColors({ ...look, opacity: Math.min(1, look.opacity * 2) });
  const reach = filled ? Math.ceil(edge / 2) : edge;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const key = keys[i];
      if (table[key & 255] === 0) continue;
      const isEdge =
        (x >= reach && keys[i - reach] !== key) ||
        (x + reach < width && keys[i + reach] !== key) ||
        (y >= reach && keys[i - reach * width] !== key) ||
        (y + reach < height && keys[i + reach * width] !== key);
      if (isEdge) pixels[i] = lines[key & 255];
    }
  }
}

/** Outlines of the other layers, of which the first 32 are drawn. */
function drawOthers(pixels, { others, width: stride }, columns, rows, { layers, opacity }, edge) {
  const width = columns.length;
  const height = rows.length;
  const colors = layers.map(({ color }) => packedColor(color, Math.min(1, opacity * 2)));
  const isDrawn = ({ shown }, i) => shown && i !== others.chosen;
  const wanted = layers.slice(0, 32).reduce((bits, layer, i) => (isDrawn(layer, i) ? bits | (1 << i) : bits), 0);
  if (!wanted) return;
  const codes = new Int32Array(width * height);
  for (let y = 0; y < height; y++) {
    if (rows[y] < 0) continue;
    for (let x = 0; x < width; x++) {
      if (columns[x] < 0) continue;
      const i = rows[y] * stride + columns[x];
      let code = 0;
      for (let k = 0; k < Math.min(4, others.planes.length); k++) code |= others.planes[k][i] << (8 * k);
      codes[y * width + x] = code & wanted;
    }
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const code = codes[i];
      if (code === 0) continue;
      let around = code;
      if (x >= edge) around &= codes[i - edge];
      if (x + edge < width) around &= codes[i + edge];
      if (y >= edge) around &= codes[i - edge * width];
      if (y + edge < height) around &= codes[i + edge * width];
      const ending = code & ~around; // layers whose border is here: the last is seen
      if (ending) pixels[i] = colors[31 - Math.clz32(ending)];
    }
  }
}

/** Key of each pixel: label + 256 * object number; outside the mask, a key that is never shown. */
function keysOf(mask, columns, rows) {
  const { labels, corrections, objects } = mask;
  const width = columns.length;
  const keys = new Uint32Array(width * rows.length).fill(UNTOUCHED);
  for (let y = 0; y < rows.length; y++) {
    if (rows[y] < 0) continue;
    const row = rows[y] * mask.width;
    for (let x = 0; x < width; x++) {
      if (columns[x] < 0) continue;
      const i = row + columns[x];
      const corrected = corrections ? corrections[i] : UNTOUCHED;
      if (corrected !== UNTOUCHED) keys[y * width + x] = corrected;
      else keys[y * width + x] = objects ? labels[i] + objects[i] * 256 : labels[i];
    }
  }
  return keys;
}

/** Colors by label in the byte order of the canvas: alpha, blue, green, red. */
function labelColors({ colors, shown, opacity }) {
  const table = new Uint32Array(256);
  for (let label = 0; label < 256; label++) {
    const color = label === IGNORED ? GRAY : colors[label];
    if (color && (shown[label] || label === IGNORED)) table[label] = packedColor(color, opacity);
  }
  return table;
}

function packedColor(color, opacity) {
  const value = parseInt(color.slice(1), 16);
  const [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255];
  return ((Math.round(opacity * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Color map of the heat map from 0 to 1; its legend in the style sheet has the same colors. */
const HEAT = ["#1b1464", "#2c5fa8", "#25a0a0", "#8fd15f", "#fde725"];

function heatColors(opacity) {
  const table = new Uint32Array(256);
  for (let level = 0; level <= 200; level++) {
    const place = (level / 200) * (HEAT.length - 1);
    const low = Math.min(Math.floor(place), HEAT.length - 2);
    table[level] = packedColor(mixed(HEAT[low], HEAT[low + 1], place - low), opacity);
  }
  return table;
}

function mixed(first, second, share) {
  const [a, b] = [first, second].map((color) => parseInt(color.slice(1), 16));
  const part = (shift) => {
    const [low, high] = [(a >> shift) & 255, (b >> shift) & 255];
    return Math.round(low + (high - low) * share);
  };
  const value = (part(16) << 16) | (part(8) << 8) | part(0);
  return `#${value.toString(16).padStart(6, "0")}`;
}
