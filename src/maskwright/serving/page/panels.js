/** The panel beside the image: display, classes, postprocessing. */

import { count, find, make, percent, remembered, show } from "./dom.js";
import { IGNORED } from "./edit.js";
import { overlaps } from "./layers.js";
import { ownSettings } from "./mask.js";

/** Display settings of masks, as `drawMask` takes them, with the classes of the model. */
export function createLook(changed) {
  const look = { mode: "fill", opacity: 0.5, colors: [], shown: [], layers: [], hidden: false };
  const modes = [...document.getElementsByName("mode")];
  const opacity = find("opacity");

  function apply() {
    look.mode = modes.find((input) => input.checked).value;
    look.opacity = look.hidden ? 0 : opacity.value / 100;
    find("opacity-value").textContent = `${opacity.value} %`;
    show(find("heat-legend"), look.mode === "heat");
  }

  function moved() {
    apply();
    remembered.set("opacity", opacity.value);
    changed();
  }

  opacity.value = remembered.get("opacity") ?? 50;
  for (const input of [...modes, opacity]) input.addEventListener("input", moved);
  apply();
  return Object.assign(look, {
    next() {
      const place = modes.findIndex((input) => input.checked);
      modes[(place + 1) % modes.length].checked = true;
      moved();
    },
    hide(isHidden) {
      look.hidden = isHidden;
      moved();
    },
  });
}

/**
 * The table of classes, of which one is edited where they overlap.
 * @param {() => void} changed  Called when a class is shown or hidden.
 * @param {(place: number) => void} picked  Called when another layer is to be edited.
 */
export function createClasses(look, changed, picked) {
  const body = find("classes");
  let cells = []; // of the classes of the mask
  let others = []; // of all layers

  return {
    /** Set the classes: those of a mask, or all layers of a model of which it is one; and the ignore label. */
    set(model, mask) {
      const ignored = { label: IGNORED, name: "ignored", color: "#808080" };
      const isLayer = overlaps(model);
      const before = look.layers;
      look.layers = isLayer ? model.layers.map(layerLook) : [];
      const isSame = look.layers.every(({ name }, i) => name === before[i]?.name);
      for (const [i, layer] of look.layers.entries()) if (isSame) layer.shown = before[i].shown;
      const place = model.layers.indexOf(mask);
      look.colors = mask.classes.map(({ color }) => color);
      look.shown = mask.classes.map(({ label }) => label !== mask.background);
      if (isLayer) look.shown[1] = look.layers[place].shown;
      others = look.layers.map((layer, i) => layerCells(layer, i, place));
      const own = isLayer ? [ignored] : [...mask.classes, ignored];
      cells = own.map((given) => cellsOf(given, look, changed));
      if (isLayer) cells.unshift({ ...others[place], label: 1 });
      body.replaceChildren(...others.map(({ row }) => row), ...cells.slice(isLayer ? 1 : 0).map(({ row }) => row));
      find("heat-name").textContent = heatName(mask);
      find("pieces-title").textContent = tellsApart(mask) ? "Objects" : "Count";
      this.measured(null, mask.background);
    },

    measured(sizes, background) {
      const all = sizes?.areas.reduce((sum, area, label) => (label === IGNORED ? sum : sum + area), 0);
      const about = sizes?.isExact === false ? "≈ " : ""; // of a preview, until the server has counted
      for (const { label, area, share, pieces, row } of cells) {
        area.textContent = sizes ? about + count(sizes.areas[label]) : "–";
        share.textContent = sizes && label !== IGNORED ? percent(sizes.areas[label] / Math.max(all, 1)) : "–";
        pieces.textContent =
          sizes && label !== background && label !== IGNORED ? about + count(sizes.pieces[label]) : "–";
        if (label === IGNORED) show(row, Boolean(sizes?.areas[label]));
      }
    },

    /** Fill in the layers that are not edited, from the table of the server. */
    known(rows, place) {
      for (const [i, { area, share, pieces }] of others.entries()) {
        if (i === place) continue;
        area.textContent = count(rows[i].area_px);
        share.textContent = percent(Number(rows[i].share));
        pieces.textContent = count(rows[i].components);
      }
    },
  };

  /** Cells of a layer, which is chosen for editing by a radio button. */
  function layerCells(layer, i, chosen) {
    const radio = make("input", {
      type: "radio",
      name: "layer",
      title: `Edit ${layer.name}`,
      "aria-label": `Edit ${layer.name}`,
    });
    radio.checked = i === chosen;
    radio.addEventListener("change", () => picked(i));
    const flip = (isShown) => {
      layer.shown = isShown;
      if (i === chosen) look.shown[1] = isShown;
      changed();
    };
    return rowOf(layer, layer.shown, flip, radio);
  }
}

const layerLook = ({ name, classes }) => ({ name, color: classes[1].color, shown: true });

/** Whether a model segments instances, which are removed as a whole. */
const tellsApart = (model) => model.threshold_of === "score";

/** Quantity that the heat map shows. */
function heatName({ threshold_of: of, classes, background }) {
  if (of === "score") return "Object score";
  const [other] = classes.filter(({ label }) => label !== background);
  return of === "foreground" ? `Probability of ${other.name}` : "Probability of the predicted class";
}

function cellsOf({ label, name, color }, look, changed) {
  const isIgnored = label === IGNORED;
  const flip = (isShown) => {
    look.shown[label] = isShown;
    changed();
  };
  const cells = rowOf({ name, color }, isIgnored || look.shown[label], isIgnored ? null : flip);
  return { label, ...cells };
}

/** Row of a class, which can be hidden if there is a function `flip`. */
function rowOf({ name, color }, isShown, flip, before = null) {
  const box = make("input", { type: "checkbox", "aria-label": `Show ${name}` });
  box.checked = isShown;
  box.disabled = flip === null;
  box.addEventListener("change", () => flip(box.checked));
  const cell = () => make("td", { class: "number" }, "–");
  const [area, share, pieces] = [cell(), cell(), cell()];
  const caption = make("label", {}, box, swatch(color), make("span", { title: name }, name));
  const heading = make("th", { scope: "row" }, make("div", { class: "class-name" }, before, caption));
  const row = make("tr", {}, heading, area, share, pieces);
  return { area, share, pieces, row };
}

export function swatch(color) {
  const element = make("span", { class: "swatch" });
  element.style.setProperty("--color", color);
  return element;
}

/**
 * Sliders of threshold and postprocessing.
 * @param {(changes: object) => void} changed  Called with new values.
 * @param {() => void} applied  Called when the settings are to be those of all images of the model.
 */
export function createDecision(changed, applied) {
  const threshold = find("threshold");
  const largest = find("keep-largest");
  const areas = [
    { name: "minArea", slider: find("min-area"), field: find("min-area-px") },
    { name: "fillHoles", slider: find("fill-holes"), field: find("fill-holes-px") },
  ];
  let most = 1; // area at the right end of a slider, px
  let own = null;

  // Small areas need finer steps than large ones: the area is the cube of the slider position.
  const areaAt = (place) => Math.round((place / 100) ** 3 * most);
  const placeOf = (area) => Math.round(Math.cbrt(area / most) * 100);

  threshold.addEventListener("input", () => changed({ level: Number(threshold.value) }));
  largest.addEventListener("change", () => changed({ keepLargest: largest.checked }));
  for (const { name, slider, field } of areas) {
    slider.addEventListener("input", () => changed({ [name]: areaAt(slider.value) }));
    field.addEventListener("change", () =>
      changed({ [name]: Math.max(0, Math.round(field.valueAsNumber || 0)) }),
    );
  }
  find("reset-settings").addEventListener("click", () => changed(own));
  find("apply-all").addEventListener("click", applied);

  return {
    /** Set the range and visibility of the sliders for a model and an image (or null). */
    suit(model, image) {
      own = ownSettings(model);
      most = image ? Math.max(1000, Math.round((image.width * image.height) / 20)) : 1000;
      const hasBackground = model.background !== null;
      show(find("threshold-row"), own.level !== null && hasBackground);
      show(find("fill-holes-row"), hasBackground && !tellsApart(model));
      show(find("keep-largest-row"), !tellsApart(model));
      const names = { foreground: "Threshold", winner: "Threshold", score: "Minimum score" };
      find("threshold-label").textContent = names[model.threshold_of] ?? "Threshold";
    },

    set(settings, isOwn) {
      const { level, minArea, fillHoles, keepLargest } = settings;
      if (level !== null) {
        threshold.value = level;
        find("threshold-value").textContent = level > 0 ? (level / 200).toFixed(3) : "off";
      }
      for (const [{ slider, field }, area] of [
        [areas[0], minArea],
        [areas[1], fillHoles],
      ]) {
        if (areaAt(slider.value) !== area) slider.value = placeOf(area);
        if (field !== document.activeElement) field.value = area; // not while the user types
        slider.setAttribute("aria-valuetext", `${area} pixels`);
      }
      largest.checked = keepLargest;
      find("reset-settings").disabled = isOwn;
    },

    /** Move the threshold by a number of steps. */
    nudge(steps) {
      threshold.value = Number(threshold.value) + steps;
      threshold.dispatchEvent(new Event("input"));
    },
  };
}
