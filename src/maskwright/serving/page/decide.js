/**
 * From probabilities to labels, as in `maskwright.inference`: `most_probable`, then `clean`, with the same result
 * for each pixel.
 *
 * Components are computed from runs: segments of a row with one value. A mask has few of them, so that labeling
 * components takes little longer than reading the pixels once.
 */

const LEVELS = 200;
const HALF = LEVELS / 2;
const NO_DATA = 255; // the ignore label

/**
 * Minimum probability level of foreground; null if no threshold applies.
 * @param {number|null} threshold  In [0, 1]; null for the default of the model.
 * @param {string|null} thresholdOf  "foreground" of two classes, "winner" of more, "score" of objects.
 */
export function levelOf(threshold, thresholdOf) {
  if (thresholdOf === null) return null;
  if (threshold === null) return thresholdOf === "foreground" ? HALF : 0;
  return Math.min(Math.max(Math.ceil(threshold * LEVELS - 1e-6), 0), LEVELS);
}

/**
 * @param {object} evidence  width, height, background (a label or null) and planes in row-major order: labels,
 *   probabilities (0 to 200), objects (the number of an object, 0 for none) or null.
 * @param {object} settings  level (as `levelOf`), minArea, fillHoles (px of the planes), keepLargest.
 * @returns {Uint8Array} Labels in row-major order.
 */
export function decide(evidence, settings) {
  const { width, height, background, objects } = evidence;
  const labels = probableEnough(evidence, settings.level);
  if (objects) {
    if (settings.minArea > 1) dropSmallObjects(labels, objects, settings.minArea, background);
    return labels;
  }
  clean(labels, width, height, background, settings);
  // Pixels without data count as background while components are formed.
  for (let i = 0; i < labels.length; i++) if (evidence.labels[i] === NO_DATA) labels[i] = NO_DATA;
  return labels;
}

function clean(labels, width, height, background, settings) {
  if (settings.minArea > 1 || settings.keepLargest) {
    const wanted = allBut(background);
    const found = components(labels, width, height, wanted, true);
    const removed = unwanted(found, settings.minArea, settings.keepLargest);
    if (background === null) takeNearest(labels, width, height, removed);
    else fillRuns(labels, removed, background);
  }
  if (settings.fillHoles > 0 && background !== null) {
    const found = components(labels, width, height, only(background), false);
    const holes = enclosed(found, width, height, settings.fillHoles);
    const classes = labelsIn(labels).filter((label) => label !== background);
    if (classes.length === 1) fillRuns(labels, holes, classes[0]);
    else takeNearest(labels, width, height, holes);
  }
}

/**
 * Areas and numbers of components by label.
 * @param {Uint16Array|null} objects  If given, objects with at least one pixel are counted instead.
 * @returns {{areas: Float64Array, pieces: Uint32Array}} 256 values each.
 */
export function measure(labels, width, height, background, objects) {
  const areas = new Float64Array(256);
  const pieces = new Uint32Array(256);
  for (let i = 0; i < labels.length; i++) areas[labels[i]]++;
  if (objects) {
    const seen = new Uint8Array(65536);
    for (let i = 0; i < labels.length; i++) {
      const number = objects[i];
      if (number && labels[i] !== background && !seen[number]) {
        seen[number] = 1;
        pieces[labels[i]]++;
      }
    }
  } else {
    const { count, parents, values } = components(labels, width, height, allBut(background), true);
    for (let run = 0; run < count; run++) if (parents[run] === run) pieces[values[run]]++;
  }
  return { areas, pieces };
}

function probableEnough({ labels, probabilities, background }, level) {
  const decided = labels.slice();
  if (background === null) return decided;
  for (let i = 0; i < decided.length; i++) {
    if (probabilities[i] < level || labels[i] === NO_DATA) decided[i] = background;
  }
  return decided;
}

function dropSmallObjects(labels, objects, minArea, background) {
  const areas = new Uint32Array(65536);
  for (let i = 0; i < labels.length; i++) if (labels[i] !== background) areas[objects[i]]++;
  for (let i = 0; i < labels.length; i++) {
    if (objects[i] && areas[objects[i]] < minArea) labels[i] = background;
  }
}

/* Tables of 256 flags: labels from which components are formed. */

function allBut(background) {
  const wanted = new Uint8Array(256).fill(1);
  wanted[NO_DATA] = 0;
  if (background !== null) wanted[background] = 0;
  return wanted;
}

function only(label) {
  const wanted = new Uint8Array(256);
  wanted[label] = 1;
  return wanted;
}

function labelsIn(labels) {
  const seen = new Uint8Array(256);
  for (let i = 0; i < labels.length; i++) seen[labels[i]] = 1;
  return [...seen.keys()].filter((label) => seen[label]);
}

/**
 * Runs of the selected labels, merged into components of one label each.
 * @param {boolean} corners  Whether components are 8-connected, else 4-connected.
 * @returns {object} count; starts and ends (indices of pixels), values and parents of the runs. The
 *   parent of a run is the first run of its component, in reading order.
 */
function components(labels, width, height, wanted, corners) {
  const count = countRuns(labels, width, wanted);
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  const values = new Uint8Array(count);
  const parents = new Uint32Array(count);
  const reach = corners ? 1 : 0;
  let run = 0;
  let above = 0; // first run of the row above that may touch the current run
  for (let row = 0; row < height; row++) {
    const first = row * width;
    const firstRun = run;
    for (let i = first; i < first + width;) {
      const value = labels[i];
      const start = i;
      do i++;
      while (i < first + width && labels[i] === value);
      if (!wanted[value]) continue;
      starts[run] = start;
      ends[run] = i;
      values[run] = value;
      parents[run] = run;
      const low = start - width;
      const high = i - width;
      while (above < firstRun && ends[above] + reach <= low) above++;
      for (let other = above; other < firstRun && starts[other] < high + reach; other++) {
        if (values[other] === value) join(parents, run, other);
      }
      run++;
    }
    above = firstRun;
  }
  for (let i = 0; i < count; i++) parents[i] = parents[parents[i]]; // parents come first: one step suffices
  return { count, starts, ends, values, parents };
}

function countRuns(labels, width, wanted) {
  let count = 0;
  for (let i = 0, column = 0; i < labels.length; i++) {
    if (wanted[labels[i]] && (column === 0 || labels[i] !== labels[i - 1])) count++;
    if (++column === width) column = 0;
  }
  return count;
}

function join(parents, a, b) {
  let first = rootOf(parents, a);
  let second = rootOf(parents, b);
  if (first > second) [first, second] = [second, first];
  parents[second] = first;
}

function rootOf(parents, run) {
  while (parents[run] !== run) {
    parents[run] = parents[parents[run]];
    run = parents[run];
  }
  return run;
}

function areasOf({ count, starts, ends, parents }) {
  const areas = new Float64Array(count);
  for (let run = 0; run < count; run++) areas[parents[run]] += ends[run] - starts[run];
  return areas;
}

/** Runs of components that are too small, or not the largest of their label. */
function unwanted(found, minArea, keepLargest) {
  const { count, parents, values } = found;
  const areas = areasOf(found);
  const largest = new Int32Array(256).fill(-1);
  for (let run = 0; run < count && keepLargest; run++) {
    const best = largest[values[run]];
    if (parents[run] === run && (best < 0 || areas[run] > areas[best])) largest[values[run]] = run;
  }
  return chosen(found, (root) => areas[root] < minArea || (keepLargest && largest[values[root]] !== root));
}

/** Runs of components that do not touch the border and do not exceed an area: holes. */
function enclosed(found, width, height, maxArea) {
  const { count, starts, ends, parents } = found;
  const areas = areasOf(found);
  const open = new Uint8Array(count);
  const lastRow = (height - 1) * width;
  for (let run = 0; run < count; run++) {
    const atBorder =
      starts[run] < width || starts[run] >= lastRow || starts[run] % width === 0 || ends[run] % width === 0;
    if (atBorder) open[parents[run]] = 1;
  }
  return chosen(found, (root) => !open[root] && areas[root] <= maxArea);
}

/** Starts and ends, in reading order, of the runs of the given components. */
function chosen({ count, starts, ends, parents }, isChosen) {
  const kept = new Uint8Array(count);
  let size = 0;
  for (let run = 0; run < count; run++) {
    kept[run] = parents[run] === run ? isChosen(run) : kept[parents[run]];
    size += kept[run];
  }
  const some = { starts: new Uint32Array(size), ends: new Uint32Array(size) };
  for (let run = 0, i = 0; run < count; run++) {
    if (!kept[run]) continue;
    some.starts[i] = starts[run];
    some.ends[i++] = ends[run];
  }
  return some;
}

function fillRuns(labels, { starts, ends }, value) {
  for (let run = 0; run < starts.length; run++) labels.fill(value, starts[run], ends[run]);
}

/* Distances of OpenCV's 5x5 mask (a step, a diagonal one, a knight's move), which sums them as whole numbers
   of 1/65536 px: 65536, 91750, 143976. Half of that is as exact, and stays below 2**31 for 65,000 px. */
const STEP = 32768;
const DIAGONAL = 45875;
const KNIGHT = 71988;
const FAR = 2 ** 31 - 1 - KNIGHT;

/**
 * Set the pixels of the given runs to the label of the nearest other pixel, in place; unchanged if there is none.
 *
 * Ties are resolved as by OpenCV's `distanceTransformWithLabels`: its two passes, in its order (Borgefors,
 * Distance transformations in digital images, 1986).
 */
function takeNearest(labels, width, height, { starts, ends }) {
  if (starts.length === 0) return;
  let area = 0;
  let left = width;
  let right = 0;
  for (let run = 0; run < starts.length; run++) {
    area += ends[run] - starts[run];
    left = Math.min(left, starts[run] % width);
    right = Math.max(right, ((ends[run] - 1) % width) + 1);
  }
  if (area === labels.length) return;
  // Margin of one pixel: the nearest other pixel always touches a selected pixel.
  const top = Math.max(0, Math.floor(starts[0] / width) - 1);
  const bottom = Math.min(height, Math.floor(starts[starts.length - 1] / width) + 2);
  left = Math.max(0, left - 1);
  right = Math.min(width, right + 1);
  const stride = right - left + 4; // two border pixels on each side
  const distance = new Int32Array(stride * (bottom - top + 4));
  surround(distance, stride, bottom - top);
  const place = (i) => (Math.floor(i / width) - top + 2) * stride + (i % width) - left + 2;
  const runs = starts.length;
  for (let run = 0; run < runs; run++) {
    const at = place(starts[run]);
    distance.fill(FAR, at, at + ends[run] - starts[run]);
  }
  for (let run = 0; run < runs; run++) {
    for (let i = starts[run], at = place(i); i < ends[run]; i++, at++) {
      let best = FAR;
      let from = i;
      let d = distance[at - 2 * stride - 1] + KNIGHT;
      if (d < best) ((best = d), (from = i - 2 * width - 1));
      d = distance[at - 2 * stride + 1] + KNIGHT;
      if (d < best) ((best = d), (from = i - 2 * width + 1));
      d = distance[at - stride - 2] + KNIGHT;
      if (d < best) ((best = d), (from = i - width - 2));
      d = distance[at - stride - 1] + DIAGONAL;
      if (d < best) ((best = d), (from = i - width - 1));
      d = distance[at - stride] + STEP;
      if (d < best) ((best = d), (from = i - width));
      d = distance[at - stride + 1] + DIAGONAL;
      if (d < best) ((best = d), (from = i - width + 1));
      d = distance[at - stride + 2] + KNIGHT;
      if (d < best) ((best = d), (from = i - width + 2));
      d = distance[at - 1] + STEP;
      if (d < best) ((best = d), (from = i - 1));
      distance[at] = best;
      labels[i] = labels[from];
    }
  }
  for (let run = runs - 1; run >= 0; run--) {
    for (let i = ends[run] - 1, at = place(i); i >= starts[run]; i--, at--) {
      let best = distance[at];
      if (best <= STEP) continue;
      let from = i;
      let d = distance[at + 2 * stride + 1] + KNIGHT;
      if (d < best) ((best = d), (from = i + 2 * width + 1));
      d = distance[at + 2 * stride - 1] + KNIGHT;
      if (d < best) ((best = d), (from = i + 2 * width - 1));
      d = distance[at + stride + 2] + KNIGHT;
      if (d < best) ((best = d), (from = i + width + 2));
      d = distance[at + stride + 1] + DIAGONAL;
      if (d < best) ((best = d), (from = i + width + 1));
      d = distance[at + stride] + STEP;
      if (d < best) ((best = d), (from = i + width));
      d = distance[at + stride - 1] + DIAGONAL;
      if (d < best) ((best = d), (from = i + width - 1));
      d = distance[at + stride - 2] + KNIGHT;
      if (d < best) ((best = d), (from = i + width - 2));
      d = distance[at + 1] + STEP;
      if (d < best) ((best = d), (from = i + 1));
      distance[at] = best;
      labels[i] = labels[from];
    }
  }
}

/** Border of infinite distance around a window: two rows above and below, two columns left and right. */
function surround(distance, stride, rows) {
  distance.fill(FAR, 0, 2 * stride);
  distance.fill(FAR, (rows + 2) * stride);
  for (let row = 2; row < rows + 2; row++) {
    distance.fill(FAR, row * stride, row * stride + 2);
    distance.fill(FAR, (row + 1) * stride - 2, (row + 1) * stride);
  }
}
