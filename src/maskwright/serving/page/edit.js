/**
 * Corrections of a mask: a plane of labels on top of the thresholded labels, so that corrections remain when
 * the threshold changes. It is drawn in strokes, each of which can be undone.
 */

/** Value of pixels without a correction. Labels are 0 to 253, or `IGNORED`. */
export const UNTOUCHED = 254;
/** The ignore label: pixels that training skips. */
export const IGNORED = 255;

const SIDE = 128; // side of the squares in which strokes are stored for undo, px
const MOST_BYTES = 96 * 2 ** 20; // limit of all strokes stored for undo

/** Write the values of a patch `{left, top, width, height, values}` into a plane. */
export function putPatch(plane, stride, { left, top, width, height, values }) {
  for (let row = 0; row < height; row++) {
    plane.set(values.subarray(row * width, (row + 1) * width), (top + row) * stride + left);
  }
}

function cutPatch(plane, stride, { left, top, width, height }) {
  const values = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const start = (top + row) * stride + left;
    values.set(plane.subarray(start, start + width), row * width);
  }
  return { left, top, width, height, values };
}

export class Corrections {
  /** @param {(patches: object[]) => void} tell  Called with the changed patches after each stroke. */
  constructor(width, height, tell) {
    Object.assign(this, { width, height, tell });
    this.plane = null; // allocated by the first stroke
    this.done = []; // strokes: maps from the index of a square to its previous values
    this.undone = [];
    this.touched = new Set(); // indices of squares that were drawn on
    this.stroke = null;
    this.columns = Math.ceil(width / SIDE);
  }

  get canUndo() {
    return this.done.length > 0;
  }

  get canRedo() {
    return this.undone.length > 0;
  }

  /** Whether there is no corrected pixel. */
  get isEmpty() {
    if (!this.plane && !this.resting) return true;
    const patches = this.resting ?? [...this.touched].map((square) => this.cut(square));
    return patches.every(({ values }) => values.every((value) => value === UNTOUCHED));
  }

  /** A copy of the plane, without the stroke that is being drawn. */
  whole() {
    const plane = this.plane?.slice() ?? new Uint8Array(this.width * this.height).fill(UNTOUCHED);
    for (const patch of this.resting ?? []) putPatch(plane, this.width, patch);
    for (const [square, values] of this.stroke ?? []) {
      putPatch(plane, this.width, { ...this.cut(square), values });
    }
    return plane;
  }

  begin() {
    this.plane ??= new Uint8Array(this.width * this.height).fill(UNTOUCHED);
    this.stroke = new Map();
  }

  end() {
    if (!this.stroke) return;
    const stroke = this.stroke;
    this.stroke = null;
    if (stroke.size === 0) return;
    this.done.push(stroke);
    this.undone = [];
    this.forget();
    this.told(stroke);
  }

  /** Cancel the current stroke. */
  cancel() {
    if (!this.stroke) return;
    this.swap(this.stroke);
    this.stroke = null;
  }

  undo() {
    const stroke = this.done.pop();
    if (!stroke) return;
    this.swap(stroke);
    this.undone.push(stroke);
    this.told(stroke);
  }

  redo() {
    const stroke = this.undone.pop();
    if (!stroke) return;
    this.swap(stroke);
    this.done.push(stroke);
    this.told(stroke);
  }

  /** Remove all corrections, as one stroke that can be undone. */
  reset() {
    if (this.isEmpty) return;
    this.begin();
    for (const square of this.touched) {
      const patch = this.remember(square);
      patch.values = new Uint8Array(patch.values.length).fill(UNTOUCHED);
      putPatch(this.plane, this.width, patch);
    }
    this.end();
  }

  /** Draw a line with round ends from `(x0, y0)` to `(x1, y1)`; the center of the first pixel is at 0.5. */
  line(x0, y0, x1, y1, radius, value) {
    const left = Math.max(0, Math.floor(Math.min(x0, x1) - radius));
    const right = Math.min(this.width - 1, Math.floor(Math.max(x0, x1) + radius));
    const top = Math.max(0, Math.floor(Math.min(y0, y1) - radius));
    const bottom = Math.min(this.height - 1, Math.floor(Math.max(y0, y1) + radius));
    const dx = x1 - x0;
    const dy = y1 - y0;
    const length = dx * dx + dy * dy;
    // A brush smaller than a pixel draws the pixel below it.
    const reach = Math.max(radius, Math.SQRT1_2) ** 2;
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const px = x + 0.5 - x0;
        const py = y + 0.5 - y0;
        const along = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
        const ax = px - along * dx;
        const ay = py - along * dy;
        if (ax * ax + ay * ay < reach) this.set(y * this.width + x, value);
      }
    }
  }

  /**
   * Flood fill: set the connected pixels with the label of a pixel to another label. Of a model of objects, only
   * those of one object, and what was drawn onto it.
   * @param {object} mask  labels below the corrections; objects, numbers by pixel, or null.
   */
  flood(x, y, value, { labels, objects, background }) {
    const { width, height, plane } = this;
    const labelAt = (i) => (plane[i] === UNTOUCHED ? labels[i] : plane[i]);
    const objectAt = (i) => (plane[i] === UNTOUCHED && labels[i] !== background ? objects[i] : 0);
    const first = y * width + x;
    const old = labelAt(first);
    const one = objects ? objectAt(first) : 0;
    if (old === value) return;
    const seen = new Uint8Array(width * height);
    const isPart = (i) =>
      !seen[i] && labelAt(i) === old && (!objects || objectAt(i) === one || objectAt(i) === 0);
    const reach = objects ? 1 : 0; // pixels of objects are also connected at corners
    const waiting = [first];
    while (waiting.length) {
      const i = waiting.pop();
      if (!isPart(i)) continue;
      const row = i - (i % width);
      let start = i;
      let end = i + 1;
      while (start > row && isPart(start - 1)) start--;
      while (end < row + width && isPart(end)) end++;
      const left = Math.max(row, start - reach);
      const right = Math.min(row + width, end + reach);
      for (const next of [-width, width]) {
        if (row + next < 0 || row + next >= width * height) continue;
        for (let j = left; j < right; j++) {
          const isFirst = j === left || !isPart(j + next - 1);
          if (isFirst && isPart(j + next)) waiting.push(j + next);
        }
      }
      seen.fill(1, start, end);
      for (let j = start; j < end; j++) this.set(j, value);
    }
  }

  /** Start with a plane of corrections, which is used without a copy. */
  adopt(plane) {
    this.plane = plane;
    const rows = Math.ceil(this.height / SIDE);
    for (let square = 0; square < this.columns * rows; square++) this.touched.add(square);
  }

  /** Store only the squares with corrections, while another image is shown. */
  rest() {
    if (!this.plane) return;
    this.resting = [...this.touched].map((square) => this.cut(square));
    this.plane = null;
  }

  wake() {
    if (!this.resting) return;
    this.plane = new Uint8Array(this.width * this.height).fill(UNTOUCHED);
    for (const patch of this.resting) putPatch(this.plane, this.width, patch);
    this.resting = null;
  }

  set(i, value) {
    if (this.plane[i] === value) return;
    const column = i % this.width;
    const square = Math.floor((i - column) / this.width / SIDE) * this.columns + Math.floor(column / SIDE);
    if (!this.stroke.has(square)) this.remember(square);
    this.plane[i] = value;
  }

  remember(square) {
    const patch = this.cut(square);
    this.stroke.set(square, patch.values);
    this.touched.add(square);
    return patch;
  }

  cut(square) {
    const left = (square % this.columns) * SIDE;
    const top = Math.floor(square / this.columns) * SIDE;
    const width = Math.min(SIDE, this.width - left);
    const height = Math.min(SIDE, this.height - top);
    return cutPatch(this.plane, this.width, { left, top, width, height });
  }

  swap(stroke) {
    for (const [square, values] of stroke) {
      const patch = this.cut(square);
      stroke.set(square, patch.values);
      putPatch(this.plane, this.width, { ...patch, values });
    }
  }

  told(stroke) {
    this.tell([...stroke.keys()].map((square) => this.cut(square)));
  }

  /** Discard the oldest strokes beyond the limit, but never the last one. */
  forget() {
    const bytes = (stroke) => stroke.size * SIDE * SIDE;
    let sum = this.done.reduce((total, stroke) => total + bytes(stroke), 0);
    while (sum > MOST_BYTES && this.done.length > 1) sum -= bytes(this.done.shift());
  }
}
