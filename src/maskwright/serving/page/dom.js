/** Helpers for elements, notices and announcements. */

export const find = (id) => document.getElementById(id);

/**
 * A new element.
 * @param {object} given  Attributes; `class`, listeners as `onclick`, properties of `data` as data-…
 * @param {...(Node|string|null)} inside
 */
export function make(tag, given = {}, ...inside) {
  const element = document.createElement(tag);
  assign(element, given);
  element.append(...inside.filter((part) => part !== null));
  return element;
}

/** A new SVG element. */
export function draw(tag, given = {}, ...inside) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  assign(element, given);
  element.append(...inside);
  return element;
}

function assign(element, given) {
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
}

/** One of the symbols at the top of the page. */
export function icon(name) {
  return draw("svg", { class: "icon", "aria-hidden": "true" }, draw("use", { href: `#icon-${name}` }));
}

export function show(element, isShown) {
  element.hidden = !isShown;
}

/** Announce a change to screen readers. */
export function announce(text) {
  find("announcements").textContent = text;
}

let errors = null; // the notice of errors
let message = null; // the notice that disappears by itself

/** Show an error until it is dismissed. There is one notice of errors, with each sentence once. */
export function complain(text) {
  if (!errors?.isConnected) {
    const dismiss = { class: "quiet small", type: "button", "aria-label": "Dismiss", onclick: () => errors.remove() };
    errors = make("div", { class: "notice bad", role: "alert" }, icon("warning"), make("div", {}));
    errors.append(make("button", dismiss, icon("close")));
    find("notices").append(errors);
  }
  const sentences = errors.querySelector("div");
  const isThere = [...sentences.children].some(({ textContent }) => textContent === text);
  if (!isThere) sentences.prepend(make("p", {}, text));
}

/** Show a message that disappears by itself, in place of the one before. */
export function tell(text) {
  announce(text);
  message?.remove();
  const notice = make("div", { class: "notice good" }, icon("check"), make("p", {}, text));
  message = notice;
  find("notices").append(notice);
  setTimeout(() => notice.remove(), 6000);
}

/** Run an action, and show its error message if it fails. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") complain(error.message);
    return undefined;
  }
}

export const count = (value) => Math.round(value).toLocaleString("en");

/** A number of things, as "1 image" or "2 images". */
export const counted = (number, thing) => `${count(number)} ${thing}${number === 1 ? "" : "s"}`;

const NAMES = 10; // in a sentence

/** Names in a sentence, of many the first. */
export function listed(names) {
  const rest = names.length - NAMES;
  return names.slice(0, NAMES).join(", ") + (rest > 0 ? ` and ${count(rest)} more` : "");
}

export const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;

export const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

/** Settings in local storage, which the browser may disable. */
export const remembered = {
  get(name) {
    try {
      return localStorage.getItem(`maskwright.${name}`);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`maskwright.${name}`, value);
    } catch {
      // Storage is disabled: the setting is lost on reload.
    }
  },
};
