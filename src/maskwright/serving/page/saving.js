/** Downloads, and the training data set of the server. */

import { Refused, ask, download } from "./api.js";
import { attempt, complain, counted, find, show, tell } from "./dom.js";
import { exporting, overlaps } from "./layers.js";

const REGION_TABLES = ["decisions.csv", "regions.csv"];

/**
 * @param {object} hooks  entry(): the selected image; done(): all images with a mask; save(entry): saves its edits;
 *   decide(entry): decides on the regions of its mask, if it has changed; check(entry): says so if it is gone.
 */
export function createSaving(hooks) {
  const buttons = [...find("downloads").querySelectorAll("[data-file]")];
  const [mask, masks] = ["mask.png", "masks.zip"].map((name) => buttons.find(({ dataset }) => dataset.file === name));
  const archive = find("archive");
  const keep = find("keep");

  async function busy(button, work) {
    button.disabled = true;
    await attempt(work);
    button.disabled = false;
  }

  async function downloadMask(name) {
    const entry = hooks.entry();
    await hooks.save(entry);
    if (REGION_TABLES.includes(name)) await hooks.decide(entry);
    const exported = exporting(entry);
    await download(`images/${entry.id}/${name}`);
    if (!name.endsWith(".csv") && name !== "overlay.png") exported();
  }

  async function downloadAll() {
    const entries = hooks.done();
    await Promise.all(entries.map(hooks.save));
    const exported = entries.map(exporting);
    const body = JSON.stringify({ ids: entries.map(({ id }) => id) });
    const headers = { "Content-Type": "application/json" };
    const answer = await download("archive.zip", { method: "POST", body, headers });
    const missing = Number(answer.headers.get("X-Left-Out"));
    if (missing) {
      complain(`Not in the archive: ${counted(missing, "file")}; left-out.txt in it names the reasons.`);
      for (const entry of entries) await hooks.check(entry); // some may be gone
    } else exported.forEach((mark) => mark());
  }

  async function keepImage() {
    const entry = hooks.entry();
    const { name, id } = entry;
    await hooks.save(entry);
    const exported = exporting(entry);
    const post = (path) => ask(`images/${id}/${path}`, { method: "POST" });
    const answer = await post("keep").catch((error) => {
      if (!(error instanceof Refused) || error.code !== "kept_already") throw error;
      const [sentence] = error.message.split(/; [^;]*$/); // the rest is for programs
      return confirm(`${sentence}. Replace that mask?`) ? post("keep?replace=true") : null;
    });
    if (!answer) return;
    const { folder, images, file } = await answer.json();
    exported();
    const place = file === name ? folder : `${folder} as ${file}`;
    tell(`${name} was added to ${place}; it now contains ${counted(images, "image")}.`);
  }

  for (const button of buttons) {
    button.addEventListener("click", () => busy(button, () => downloadMask(button.dataset.file)));
  }
  archive.addEventListener("click", () => busy(archive, downloadAll));
  keep.addEventListener("click", () => busy(keep, keepImage));

  return {
    /** Enable the buttons for an image with a mask, or disable them (null). */
    suit(model) {
      for (const button of [...buttons, archive]) button.disabled = !model;
      for (const button of buttons.filter(({ dataset }) => REGION_TABLES.includes(dataset.file))) {
        show(button, Boolean(model?.names));
      }
      const hasLayers = Boolean(model) && overlaps(model);
      show(mask, !hasLayers);
      show(masks, hasLayers);
      show(keep, model?.keep !== false);
      show(find("keep-note"), model?.keep !== false);
      keep.disabled = !model?.keep;
    },
    keep: () => keep.click(),
    download: () => (mask.hidden ? masks : mask).click(),
  };
}
