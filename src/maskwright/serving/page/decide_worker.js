/**
 * Worker for thresholding and postprocessing, so that sliders stay responsive. It holds the planes of one image
 * and the corrections made on the page.
 *
 * Takes {kind: "load", image, evidence, corrections}, {kind: "decide", settings} and {kind: "correct", patches}.
 * Answers {kind: "decided", image, labels}, and some time after it {kind: "measured", image, areas, pieces}. `image`
 * is a number that identifies late answers.
 */

import { decide, measure } from "./decide.js";
import { UNTOUCHED, putPatch } from "./edit.js";

let image = null;
let evidence = null;
let decided = null;
let corrections = null;
let measuring = null;

addEventListener("message", ({ data }) => {
  if (data.kind === "load") {
    ({ image, evidence, corrections } = data);
    decided = null;
  } else if (data.kind === "decide") {
    decided = decide(evidence, data.settings);
    const labels = decided.slice();
    postMessage({ kind: "decided", image, labels }, [labels.buffer]);
    measureSoon();
  } else if (data.kind === "correct") {
    const { width, height } = evidence;
    corrections ??= new Uint8Array(width * height).fill(UNTOUCHED);
    for (const patch of data.patches) putPatch(corrections, width, patch);
    measureSoon();
  }
});

/** Measure when no newer request is waiting. */
function measureSoon() {
  clearTimeout(measuring);
  measuring = setTimeout(() => {
    if (!decided) return;
    const { width, height, background, objects } = evidence;
    const { areas, pieces } = measure(corrected(), width, height, background, objects);
    postMessage({ kind: "measured", image, areas, pieces });
  }, 0);
}

function corrected() {
  if (!corrections) return decided;
  const labels = decided.slice();
  for (let i = 0; i < labels.length; i++) if (corrections[i] !== UNTOUCHED) labels[i] = corrections[i];
  return labels;
}
