/** Keyboard shortcuts, and the dialog that lists them. */

import { find, make, remembered } from "./dom.js";

/**
 * @param {object} groups  By title, lists of {keys, shown, does, where, run, released}: `shown` is displayed instead
 *   of `keys`; `run(event)` on key press, if `where(event)`; `released(event)` on key release.
 * @param {() => boolean} active  Whether shortcuts are enabled.
 */
export function createKeys(groups, active) {
  const dialog = find("shortcuts");
  const single = find("single-keys");
  const all = Object.values(groups).flat();
  single.checked = remembered.get("single-keys") !== "off";
  single.addEventListener("change", () => remembered.set("single-keys", single.checked ? "on" : "off"));
  find("help").addEventListener("click", () => dialog.showModal());
  find("shortcuts-close").addEventListener("click", () => dialog.close());
  find("shortcut-groups").append(
    ...Object.entries(groups).map(([title, shortcuts]) => {
      const told = shortcuts.filter(({ does }) => does);
      return make("section", {}, make("h3", {}, title), make("dl", {}, ...told.map(lineOf)));
    }),
  );

  addEventListener("keydown", (event) => {
    if (event.altKey || document.querySelector("dialog[open]") || isTyping(event)) return;
    const name = nameOf(event);
    if (name.length === 1 && !single.checked) return;
    if (name === "?") {
      dialog.showModal();
      event.preventDefault();
      return;
    }
    const shortcut = all.find(({ keys }) => keys.includes(name));
    if (!shortcut || !active()) return;
    if (shortcut.where && !shortcut.where(event)) return;
    event.preventDefault();
    shortcut.run(event);
  });
  addEventListener("keyup", (event) => {
    const shortcut = all.find(({ keys, released }) => released && keys.includes(nameOf(event)));
    shortcut?.released(event);
  });
}

function lineOf({ keys, does, shown }) {
  const caps = (shown ?? keys).flatMap((key, i) => [
    i ? " " : "",
    make("kbd", {}, key.replace(/[a-z]$/, capital)),
  ]);
  return make("div", {}, make("dt", {}, does), make("dd", {}, ...caps));
}

const capital = (letter, place, name) =>
  place === 0 || name[place - 1] === "+" ? letter.toUpperCase() : letter;

/** Name of a key in shortcuts: "b", "Ctrl+z", "ArrowLeft". */
function nameOf(event) {
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.shiftKey && (event.key.length > 1 || parts.length)) parts.push("Shift");
  return [...parts, key].join("+");
}

function isTyping({ target, key }) {
  if (!(target instanceof Element)) return false;
  if (target.matches("select, textarea, input:not([type=checkbox], [type=radio], [type=range])")) return true;
  // Sliders and radio buttons use arrow keys; buttons and checkboxes use the space bar.
  if (target.matches("input, [role=slider]")) return key.startsWith("Arrow") || key === " ";
  return target.matches("button, summary, a") && (key === " " || key === "Enter");
}
