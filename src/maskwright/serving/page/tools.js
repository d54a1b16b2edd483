/** Brush, eraser and fill: by pointer, finger or keyboard. */

import { announce, find, make, show } from "./dom.js";
import { IGNORED, UNTOUCHED } from "./edit.js";
import { swatch } from "./panels.js";

/** Tools by `data-tool` of their buttons, with their keys. */
export const TOOLS = {
  pan: { name: "Pan", key: "v" },
  brush: { name: "Brush", key: "b" },
  eraser: { name: "Eraser", key: "e" },
  fill: { name: "Fill", key: "f" },
};
const KEY_STEP = 8; // px of the screen that an arrow key moves a tool

/**
 * @param {object} hooks  mask(): argument of `drawMask`, or null; corrections(): of the open mask, or null;
 *   redraw(); viewer(): the viewer.
 */
export function createTools(hooks) {
  const stage = find("stage");
  const cursor = find("cursor");
  const sizes = find("brush-size");
  const classes = find("paint-classes");
  const buttons = [...find("tools").querySelectorAll("[data-tool]")];
  let tool = "pan";
  let background = null;
  let painted = 0; // label of brush and fill
  let last = null; // last point of the stroke, px of the mask
  let keyed = null; // position of the tool moved by keys, px of the stage
  let value = 0; // label of the stroke
  let drawn = null; // corrections that the stroke belongs to

  for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.tool));
  find("undo").addEventListener("click", () => back("undo"));
  find("redo").addEventListener("click", () => back("redo"));
  find("reset-edits").addEventListener("click", () => {
    hooks.corrections()?.reset();
    announce("All corrections were discarded.");
  });
  sizes.addEventListener("input", () => {
    find("brush-size-value").textContent = `${sizes.value} px`;
    placeCursor();
  });

  function choose(name) {
    tool = name;
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.tool === name);
    const draws = name === "brush" || name === "eraser";
    stage.classList.toggle("drawing", draws);
    stage.classList.toggle("filling", name === "fill");
    show(find("brush-size-label"), draws);
    show(classes, name === "brush" || name === "fill");
    find("tool-name").textContent = TOOLS[name].name;
    if (name === "pan") keyed = null;
    show(cursor, false);
    announce(`${TOOLS[name].name}.`);
  }

  const toMask = (point) => {
    const { scale } = hooks.mask();
    return { x: point.x / scale, y: point.y / scale };
  };
  const radius = () => sizes.value / 2 / hooks.viewer().scale() / hooks.mask().scale;

  /** Label of a stroke: the selected class; for the eraser the background or, without one, the prediction. */
  function valueOf(event) {
    if (event?.shiftKey) return UNTOUCHED;
    if (tool === "eraser") return background ?? UNTOUCHED;
    return painted;
  }

  const paint = {
    active: () => tool !== "pan" && hooks.mask() !== null,
    begin(point, event) {
      const corrections = hooks.corrections();
      const at = toMask(point);
      paint.end(); // a stroke by key while another goes on
      value = valueOf(event);
      drawn = corrections;
      corrections.begin();
      if (tool === "fill") {
        const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
        const inside = x >= 0 && y >= 0 && x < corrections.width && y < corrections.height;
        if (inside) corrections.flood(x, y, value, hooks.mask());
        last = null;
      } else {
        last = at;
        corrections.line(at.x, at.y, at.x, at.y, radius(), value);
      }
      cursor.classList.add("down");
      hooks.redraw();
    },
    move(point) {
      if (!last) return;
      const at = toMask(point);
      drawn.line(last.x, last.y, at.x, at.y, radius(), value);
      last = at;
      hooks.redraw();
    },
    end() {
      last = null;
      cursor.classList.remove("down");
      drawn?.end();
      drawn = null;
    },
    cancel() {
      last = null;
      cursor.classList.remove("down");
      drawn?.cancel();
      drawn = null;
      hooks.redraw();
    },
  };

  function placeCursor(x, y) {
    if (x !== undefined) Object.assign(placeCursor, { x, y });
    const side = tool === "fill" ? 9 : Math.max(3, Number(sizes.value));
    cursor.style.width = cursor.style.height = `${side}px`;
    cursor.style.transform = `translate(${placeCursor.x - side / 2}px, ${placeCursor.y - side / 2}px)`;
  }

  stage.addEventListener("pointermove", (event) => {
    const { left, top } = stage.getBoundingClientRect();
    keyed = null;
    placeCursor(event.clientX - left, event.clientY - top);
    show(
      cursor,
      (tool === "brush" || tool === "eraser") && hooks.mask() !== null && event.target.id !== "swipe",
    );
  });
  stage.addEventListener("pointerleave", () => show(cursor, false));

  function back(which) {
    const corrections = hooks.corrections();
    if (drawn || !corrections || !corrections[which === "undo" ? "canUndo" : "canRedo"]) return;
    corrections[which]();
    announce(which === "undo" ? "Undone." : "Redone.");
  }

  return {
    choose,
    paint,

    /** End the stroke, which belongs to an image that is about to be closed. */
    release: () => paint.end(),
    undo: () => back("undo"),
    redo: () => back("redo"),
    get value() {
      return tool;
    },

    /** Set the classes to paint, and select the first foreground class. */
    suit(model) {
      background = model.background;
      const ignored = { label: IGNORED, name: "ignored", color: "#808080" };
      const shown = [...model.classes, ignored];
      painted = model.classes.find(({ label }) => label !== background)?.label ?? 0;
      classes.replaceChildren(
        ...shown.map(({ label, name, color }) => {
          const input = make("input", { type: "radio", name: "paint", value: label, "aria-label": name });
          input.checked = label === painted;
          input.addEventListener("change", () => (painted = label));
          return make("label", { class: "chip" }, input, swatch(color), make("span", {}, name));
        }),
      );
    },

    /** Select a class to paint by its index in the list. */
    pick(place) {
      const input = classes.querySelectorAll("input")[place];
      if (!input) return;
      input.click();
      if (tool === "pan" || tool === "eraser") choose("brush");
      announce(`Painting ${input.getAttribute("aria-label")}.`);
    },

    resize(factor) {
      sizes.value = Math.round(sizes.value * factor + Math.sign(factor - 1));
      sizes.dispatchEvent(new Event("input"));
    },

    /** Move the tool by arrow keys, from the center; it paints while the space bar is pressed. */
    moveByKey(right, down) {
      const { clientWidth: width, clientHeight: height } = stage;
      keyed ??= { x: width / 2, y: height / 2 };
      keyed.x = Math.min(width, Math.max(0, keyed.x + right * KEY_STEP));
      keyed.y = Math.min(height, Math.max(0, keyed.y + down * KEY_STEP));
      placeCursor(keyed.x, keyed.y);
      show(cursor, true);
      if (last) paint.move(hooks.viewer().toImage(keyed.x, keyed.y));
    },

    pressByKey() {
      if (!paint.active()) return;
      keyed ??= { x: stage.clientWidth / 2, y: stage.clientHeight / 2 };
      placeCursor(keyed.x, keyed.y);
      show(cursor, true);
      paint.begin(hooks.viewer().toImage(keyed.x, keyed.y), null);
    },

    /** Update the buttons after a change of the corrections. */
    refresh() {
      const corrections = hooks.corrections();
      find("undo").disabled = !corrections?.canUndo;
      find("redo").disabled = !corrections?.canRedo;
      find("reset-edits").disabled = !corrections || corrections.isEmpty;
    },
  };
}
