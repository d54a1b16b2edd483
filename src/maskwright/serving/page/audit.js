/** Masks of a data set that an audit of labels doubts; a click opens the image with this mask, at the doubtful piece. */

import { askJson } from "./api.js";
import { attempt, count, counted, find, make, show } from "./dom.js";

const SHOWN = 200; // the first; the rest is listed by the files of the audit

/**
 * @param {object} hooks  model(): name of the model for new images; entryOf(number, model): the image of a finding, if
 *   the list has it; stored(state, {finding, box, layer}): the server has stored the image; chosen(entry): show one of the list.
 */
export function createAudit(hooks) {
  const list = find("finding-list");

  async function start() {
    const findings = await askJson("audit");
    show(find("audit"), findings.length > 0);
    const rest = findings.length - SHOWN;
    find("audit-note").textContent =
      `${counted(findings.length, "mask")} of the data set, the most doubtful first. A click opens the mask as it is ` +
      "there; with Shift, a painting tool takes the prediction of the model." +
      (rest > 0 ? ` The last ${count(rest)} are not listed here.` : "");
    list.replaceChildren(...findings.slice(0, SHOWN).map(rowOf));
  }

  function rowOf(finding) {
    const { number, image, split, score, given, predicted, area_px: area } = finding;
    const said = `${given} in the mask, ${predicted} by the model`;
    const about = `${said}, ${count(area)} px`;
    const button = make(
      "button",
      { type: "button", "data-finding": number, title: `${image} (${split}): ${about}` },
      make("span", {}, make("span", { class: "name" }, image), make("span", { class: "small muted" }, about)),
      make("span", { class: "number" }, score.toFixed(2)),
    );
    button.addEventListener("click", () => attempt(() => open(finding, button)));
    return make("li", {}, button);
  }

  async function open({ number, box, layer }, button) {
    const model = hooks.model();
    const entry = hooks.entryOf(number, model);
    if (entry) {
      hooks.chosen(entry);
      return;
    }
    button.disabled = true;
    try {
      const path = `audit/${number}?model=${encodeURIComponent(model)}`;
      hooks.stored(await askJson(path, { method: "POST" }), { finding: number, box, layer });
    } finally {
      button.disabled = false;
    }
  }

  return {
    start,

    /** Mark the finding whose image is shown, if any. */
    mark(number) {
      for (const button of list.querySelectorAll("button")) {
        if (button.dataset.finding === String(number)) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      }
    },
  };
}
