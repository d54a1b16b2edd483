/** Keyboard shortcuts of the page. */

import { TOOLS } from "./tools.js";

const onStage = ({ target }) => target === document.body || target.id === "stage";

/**
 * Shortcuts by title, as `createKeys` takes them.
 * @param {object} page  Parts of the page: tools, viewer, look, mask, decision, saving, images; compare() and
 *   choose(), which opens the file dialog.
 */
export function shortcuts({ tools, viewer, look, mask, decision, saving, images, compare, choose }) {
  const arrow = (key, right, down) => ({
    keys: [key, `Shift+${key}`],
    where: onStage,
    run: ({ shiftKey }) => {
      if (tools.value === "pan") viewer.pan(right, down);
      else if (mask.drawn) tools.moveByKey(right * (shiftKey ? 4 : 1), down * (shiftKey ? 4 : 1));
    },
  });
  const paintByKey = {
    keys: ["Space"],
    where: onStage,
    run: ({ repeat }) => !repeat && tools.pressByKey(),
    released: () => tools.paint.end(),
  };

  return {
    Tools: [
      ...Object.entries(TOOLS).map(([tool, { name, key }]) => ({
        keys: [key],
        does: name,
        run: () => tools.choose(tool),
      })),
      {
        keys: ["[", "]"],
        does: "Smaller, larger brush",
        run: ({ key }) => tools.resize(key === "]" ? 1.2 : 1 / 1.2),
      },
      {
        keys: [..."123456789"],
        shown: ["1", "…", "9"],
        does: "Class to paint",
        run: ({ key }) => tools.pick(key - 1),
      },
      { ...paintByKey, does: "Paint at the position of the tool" },
      { keys: [], shown: ["Shift"], does: "While painting: restore the prediction" },
      { keys: [], shown: ["Alt"], does: "While painting: pan" },
      { keys: ["Ctrl+z"], does: "Undo", run: () => tools.undo() },
      { keys: ["Ctrl+Shift+z", "Ctrl+y"], does: "Redo", run: () => tools.redo() },
    ],
    View: [
      { ...arrow("ArrowLeft", -1, 0), does: "Pan, or move the tool", shown: ["←", "→", "↑", "↓"] },
      arrow("ArrowRight", 1, 0),
      arrow("ArrowUp", 0, -1),
      arrow("ArrowDown", 0, 1),
      { keys: ["+", "="], shown: ["+"], does: "Zoom in", run: () => viewer.zoom(1) },
      { keys: ["-"], does: "Zoom out", run: () => viewer.zoom(-1) },
      { keys: ["0"], does: "Whole image", run: () => viewer.fit() },
      { keys: ["z"], does: "Actual size", run: () => viewer.actualSize() },
      { keys: ["m"], does: "Fill, outline, heat map", run: () => look.next() },
      { keys: ["h"], does: "Hide or show the mask", run: () => look.hide(!look.hidden) },
      { keys: ["c"], does: "Compare image and mask", run: compare },
    ],
    Mask: [
      {
        keys: [",", "."],
        does: "Lower, raise the threshold",
        run: ({ key }) => mask.drawn && decision.nudge(key === "." ? 1 : -1),
      },
      { keys: ["k"], does: "Add to training data", run: () => saving.keep() },
      { keys: ["s"], does: "Save the mask as PNG", run: () => saving.download() },
    ],
    Images: [
      { keys: ["a"], does: "Add images", run: () => choose() },
      {
        keys: ["n", "PageDown"],
        does: "Next image",
        where: ({ key, target }) => key === "n" || onStage({ target }),
        run: () => images.step(1),
      },
      {
        keys: ["p", "PageUp"],
        does: "Previous image",
        where: ({ key, target }) => key === "p" || onStage({ target }),
        run: () => images.step(-1),
      },
    ],
  };
}
