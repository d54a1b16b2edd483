/** The list of images: upload, progress, selection and removal. */

import { Refused, ask, askJson, upload } from "./api.js";
import { announce, attempt, complain, find, icon, listed, make, megabytes, show } from "./dom.js";
import { doubtOf } from "./trust.js";
import { isChanged, isPrecious, isUnsaved, layersOf, problemOf, takeLayers } from "./layers.js";

const AT_ONCE = 2; // parallel uploads
const WAIT = 20; // seconds that the server waits for a change before it responds
const STORED = "maskwright.images";
const GONE = "The server no longer has this image; add it again.";
const GONE_WHY = "the oldest images make room for new ones, and a server that stops keeps none. Add them again.";
const NOT_NOW = "It cannot be read now, and will be asked for again.";
const PAUSES = [2, 4, 8, 16, 30]; // seconds between attempts to read images
const FORM_BYTES = 2048; // of a request beside the file, at most

/**
 * @param {object} hooks  model(): name of the model for new images; described(name): a model; chosen(entry|null):
 *   selection has changed; arrived(entry): the state of an image has changed; uploaded(entry): the server has it;
 *   limits(): of the server.
 */
export function createImages(hooks) {
  const list = find("image-list");
  const entries = [];
  let chosen = null;
  let sending = 0;
  let watching = null;
  let reading = false;

  /** Upload files, with one entry each. */
  function add(files) {
    const added = [...files].map((file) => {
      const entry = addEntry({ file, name: file.name, model: hooks.model(), status: "queued" });
      const limit = hooks.limits().body_bytes;
      if (file.size + FORM_BYTES > limit) {
        const sizes = `${megabytes(file.size)}, and this server takes ${megabytes(limit)} at most`;
        fail(entry, `${file.name} has ${sizes}; it can be started with a larger --max-body-mb.`);
      }
      return entry;
    });
    if (added.length)
      announce(added.length === 1 ? `${added[0].name} added.` : `${added.length} images added.`);
    if (added.length) choose(added[0]);
    sendNext();
  }

  /** Add an image to the list, at the end or behind another one. */
  function addEntry(given, before = entries.at(-1)) {
    const entry = { progress: 0, state: null, ...given };
    suit(entry, entry.model);
    entries.splice(entries.indexOf(before) + 1, 0, entry);
    entry.element = elementOf(entry);
    if (before) before.element.after(entry.element);
    else list.append(entry.element);
    refresh(entry);
    return entry;
  }

  /** Prepare an image for a model. */
  function suit(entry, model) {
    entry.model = model;
    entry.layers = layersOf(entry, hooks.described(model) ?? { layers: [] }); // of a server that was started again
    entry.layer = entry.layers[0]; // the one that is shown
  }

  function elementOf(entry) {
    const parts = {
      thumb: make("img", { class: "thumb", alt: "" }),
      state: make("span", { class: "state" }),
      share: make("progress", { max: "1", value: "0", "aria-label": `Progress of ${entry.name}` }),
    };
    entry.parts = parts;
    const name = make("span", { class: "name", title: entry.name }, entry.name);
    const about = make("span", { class: "about" }, name, parts.state);
    parts.pick = make(
      "button",
      { class: "pick", type: "button", onclick: () => choose(entry) },
      parts.thumb,
      about,
    );
    const away = make(
      "button",
      {
        class: "quiet take-away",
        type: "button",
        "aria-label": `Remove ${entry.name}`,
        onclick: () => (mayGo(entry) ? remove(entry) : undefined),
      },
      icon("close"),
    );
    about.append(parts.share);
    show(parts.thumb, true);
    return make("li", { class: "entry" }, parts.pick, away);
  }

  function refresh(entry) {
    const { thumb, state, share, pick } = entry.parts;
    const texts = {
      queued: "waiting for upload",
      sending: "uploading",
      waiting: "waiting",
      working: "predicting",
      unread: entry.reason ?? "loading",
    };
    const saved = isChanged(entry) ? "changed" : "done";
    const problem = problemOf(entry);
    const done = problem ? `not saved: ${problem}` : isUnsaved(entry) ? "saving" : saved;
    state.textContent = texts[entry.status] ?? (entry.status === "done" ? done : entry.reason);
    state.title = state.textContent;
    state.classList.toggle("bad", Boolean(entry.reason || problem));
    share.value = entry.progress;
    show(share, entry.status === "sending" || entry.status === "working");
    entry.element.classList.toggle("chosen", entry === chosen);
    if (entry === chosen) pick.setAttribute("aria-current", "true");
    else pick.removeAttribute("aria-current");
    const address = entry.id && entry.state?.width ? `api/images/${entry.id}/thumbnail.jpg` : null;
    if (address && thumb.getAttribute("src") !== address) thumb.src = address;
  }

  function sendNext() {
    const next = entries.find((entry) => entry.status === "queued");
    if (!next || sending >= AT_ONCE) return;
    sending++;
    next.status = "sending";
    send(next).finally(() => {
      sending--;
      sendNext();
    });
    sendNext();
  }

  async function send(entry) {
    refresh(entry);
    try {
      const progress = (share) => {
        entry.progress = share;
        refresh(entry);
        if (entry === chosen) hooks.arrived(entry);
      };
      const path = `images?model=${encodeURIComponent(entry.model)}`;
      const answer = await upload(path, "image", entry.file, progress);
      const state = await answer.json();
      if (entry.removed) await ask(`images/${state.id}`, { method: "DELETE" });
      else take(entry, state);
      hooks.uploaded(entry);
      store();
      watch();
    } catch (error) {
      fail(entry, error.message);
    }
  }

  /** Put the images with the most doubtful masks first; those of which nothing is known come last. */
  function sortByDoubt() {
    entries.sort((a, b) => doubtOf(b) - doubtOf(a));
    list.append(...entries.map(({ element }) => element));
    announce("The most doubtful images come first.");
    store();
  }

  find("sort-doubt").addEventListener("click", sortByDoubt);

  function take(entry, state) {
    const before = entry.status;
    Object.assign(entry, {
      id: state.id,
      state,
      status: state.status,
      progress: state.progress,
      reason: state.reason,
    });
    entry.name = state.name ?? entry.name;
    takeLayers(entry, state);
    refresh(entry);
    if (typeof state.trust?.doubt === "number") show(find("sort-doubt"), true);
    const isNew = before !== entry.status && before !== "unread";
    if (isNew && entry.status === "done") announce(`The mask of ${entry.name} is ready.`);
    if (before !== entry.status && entry.status === "failed") announce(`${entry.name}: ${entry.reason}`);
    hooks.arrived(entry);
  }

  function fail(entry, reason) {
    Object.assign(entry, { status: "failed", reason, progress: 0 });
    refresh(entry);
    announce(`${entry.name}: ${reason}`);
    hooks.arrived(entry);
  }

  /** Read the images that the server has not told of yet, until none is left; those that are gone leave the list. */
  async function read() {
    if (reading) return;
    reading = true;
    for (let tries = 0; ; tries++) {
      const removed = [];
      for (const entry of entries.filter(isUnread)) {
        try {
          const state = await askJson(`images/${entry.id}`);
          if (!entry.removed) take(entry, state);
        } catch (error) {
          if (entry.removed) continue;
          if (gone(error)) removed.push(entry);
          else unread(entry, error);
        }
      }
      for (const entry of removed) leave(entry);
      if (removed.length) complain(`The server no longer has ${listed(removed.map(({ name }) => name))}; ${GONE_WHY}`);
      watch();
      if (!entries.some(isUnread)) break;
      await new Promise((resolve) => setTimeout(resolve, 1000 * PAUSES[Math.min(tries, PAUSES.length - 1)]));
    }
    reading = false;
  }

  /** An image cannot be read now: it stays in the list, and is asked for again. */
  function unread(entry, error) {
    Object.assign(entry, { status: "unread", reason: `${NOT_NOW} ${error.message}` });
    refresh(entry);
    hooks.arrived(entry);
  }

  /** Poll the images that are not done, one request at a time: the server processes them sequentially. */
  async function watch() {
    if (watching) return;
    const isOpen = (entry) => entry.id && (entry.status === "waiting" || entry.status === "working");
    for (;;) {
      watching = entries.find((entry) => isOpen(entry) && entry.status === "working") ?? entries.find(isOpen);
      if (!watching) return;
      const entry = watching;
      try {
        const state = await askJson(`images/${entry.id}?wait=${WAIT}`);
        if (!entry.removed) take(entry, state);
      } catch (error) {
        if (entry.removed) continue;
        if (gone(error)) fail(entry, GONE);
        else unread(entry, error);
        read();
      }
    }
  }

  function choose(entry) {
    if (entry === chosen) return;
    const before = chosen;
    chosen = entry;
    if (before) refresh(before);
    if (entry) {
      refresh(entry);
      entry.element.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    hooks.chosen(entry);
  }

  /** Whether an image may be removed: corrections that nobody has are asked for. */
  function mayGo(entry) {
    if (isUnread(entry)) return confirm(`${entry.name} may have corrections that are not saved. Remove it anyway?`);
    return !isPrecious(entry) || confirm(`The corrections of ${entry.name} are not saved. Remove it anyway?`);
  }

  // A reload keeps what the server has; closing the tab does not.
  addEventListener("beforeunload", (event) => {
    const isOpen = ({ status }) => status === "queued" || status === "sending";
    const isUnknown = (entry) => isUnread(entry) && Boolean(entry.reason);
    const isAtStake = (entry) => isOpen(entry) || isUnsaved(entry) || isPrecious(entry) || isUnknown(entry);
    if (entries.some((entry) => entry.status !== "failed" && isAtStake(entry))) event.preventDefault();
  });

  /** Predict an image with another model: beside it if its mask was changed, else in its place. */
  async function predictWith(entry, model) {
    if (model === entry.model) return;
    if (!entry.id) {
      if (entry.status === "sending") {
        complain(`${entry.name} is being uploaded for the model ${entry.model}; choose again when it is done.`);
        return;
      }
      suit(entry, model);
      if (entry === chosen) hooks.chosen(entry);
      return;
    }
    const path = `images/${entry.id}/copy?model=${encodeURIComponent(model)}`;
    const copy = addStored(await askJson(path, { method: "POST" }), {}, entry);
    if (entry === chosen) choose(copy);
    if (!isChanged(entry) && !isUnsaved(entry)) await remove(entry);
  }

  /** Add an image that the server has, at the end or behind another one; `finding` is that of an audit, `layer` the one to show. */
  function addStored(state, { finding, box, layer } = {}, before = undefined) {
    const { id, name, model, status } = state;
    const entry = addEntry({ id, name, model, status, finding, box }, before);
    entry.layer = entry.layers.find((each) => each.name === layer) ?? entry.layer;
    take(entry, state);
    store();
    watch();
    return entry;
  }

  async function remove(entry) {
    leave(entry);
    announce(`${entry.name} removed.`);
    if (entry.id) await attempt(() => ask(`images/${entry.id}`, { method: "DELETE" }).catch(ignoreGone));
  }

  /** Take an image out of the list. */
  function leave(entry) {
    const place = entries.indexOf(entry);
    entries.splice(place, 1);
    const hadFocus = entry.element.contains(document.activeElement);
    entry.element.remove();
    entry.removed = true;
    store();
    if (entry === chosen) choose(entries[place] ?? entries[place - 1] ?? null);
    if (hadFocus) (chosen?.parts.pick ?? find("choose-empty")).focus();
  }

  /** Store the list for this tab, so that it survives a reload. */
  function store() {
    const kept = ({ id, name, model, finding, box }) => ({ id, name, model, finding, box });
    sessionStorage.setItem(STORED, JSON.stringify(entries.filter(({ id }) => id).map(kept)));
  }

  /** Show the list of this tab from before a reload: at once, so that none can be lost, then the images one by one. */
  function restore() {
    for (const given of JSON.parse(sessionStorage.getItem(STORED) ?? "[]")) addEntry({ ...given, status: "unread" });
    if (entries.length) choose(entries[0]);
    read();
  }

  return {
    add,
    addStored,
    choose,

    /** Rejects if an image is gone, of which the browser may still have files. */
    check: (entry) =>
      ask(`images/${entry.id}`).catch((error) => {
        if (gone(error)) throw error;
      }),

    /** A request for an image has failed: one that the server no longer has is said to be gone. */
    failed: (entry, error) => gone(error) && fail(entry, GONE),
    predictWith,
    restore,
    refresh,
    step(by) {
      const place = entries.indexOf(chosen);
      const next = entries[place + by];
      if (place >= 0 && next) choose(next);
    },
    get chosen() {
      return chosen;
    },
    get all() {
      return [...entries];
    },
    get done() {
      return entries.filter(({ status }) => status === "done");
    },
  };
}

const isUnread = ({ status }) => status === "unread";

const gone = (error) => error instanceof Refused && error.code === "image_gone";

function ignoreGone(error) {
  if (!gone(error)) throw error;
}
