/** Regions of an image, sorted by uncertainty, with their probabilities and the decision. */

import { askJson } from "./api.js";
import { attempt, count, find, make, show } from "./dom.js";
import { swatch } from "./panels.js";

/**
 * @param {object} hooks  entry(): the selected image; save(entry): saves its edits; look(box): shows a region;
 *   arrived(entry, state): receives the new state of the image.
 */
export function createRegions(hooks) {
  const section = find("regions");
  const list = find("region-list");

  find("decide-again").addEventListener("click", (event) =>
    attempt(async () => {
      event.target.disabled = true;
      try {
        await decide(hooks.entry());
      } finally {
        event.target.disabled = false;
      }
    }),
  );

  async function decide(entry) {
    await hooks.save(entry);
    hooks.arrived(entry, await askJson(`images/${entry.id}/decide`, { method: "POST" }));
  }

  function rowOf(region, model) {
    const { name, label, box, area_px: area, probability, weight } = region;
    const share = make("meter", { min: "0", max: "1", value: probability ?? 0, "aria-hidden": "true" });
    const said = `${name}, ${region.class}, ${model.names[1]} ${rounded(probability)}`;
    const title = `${count(area)} px` + (weight === null ? "" : `, weight ${rounded(weight)}`);
    const row = make(
      "button",
      { type: "button", "aria-label": `${said}. Zoom to it.`, title },
      swatch(model.layers[0].classes[label]?.color ?? "#808080"),
      make("span", { class: "name" }, name),
      share,
      make("span", { class: "number" }, rounded(probability)),
    );
    row.addEventListener("click", () => {
      for (const other of list.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
      row.setAttribute("aria-current", "true");
      hooks.look(box);
    });
    return make("li", {}, row);
  }

  return {
    decide,
    set(state, model) {
      show(section, Boolean(state?.decisions));
      if (!state?.decisions) return;
      const cut = model.decision_threshold;
      // If the unit is a region, the list below contains all decisions.
      const { regions: found, decisions } = state;
      const oneEach =
        decisions.length === found.length && found.every(({ name }, i) => name === decisions[i].name);
      show(find("decisions"), !oneEach);
      find("decisions").replaceChildren(
        ...decisions.map(({ name, probability, decision, answer }) =>
          make(
            "div",
            {},
            make("dt", { title: name }, name),
            make("dd", {}, decided(decision, probability) + (answer ? `; ${answer}` : "")),
          ),
        ),
      );
      const lines = state.answers ? answerLines(decisions, state.answers.coverage) : [];
      show(find("answers"), lines.length > 0);
      find("answers").replaceChildren(...lines.map((text) => make("li", {}, text)));
      const doubt = ({ probability }) => (probability === null ? 1 : Math.abs(probability - cut));
      const regions = [...found].sort((a, b) => doubt(a) - doubt(b));
      const stale = state.decided ? "" : "The mask has changed since; classify again. ";
      const about = regions.length
        ? `Probability of ${model.names[1]}; threshold ${cut.toFixed(2)}. Most uncertain first.`
        : "This mask contains no region.";
      find("regions-note").textContent = stale + about;
      list.replaceChildren(...regions.map((region) => rowOf(region, model)));
    },
  };
}

const rounded = (value) => (value === null ? "–" : value.toFixed(2));

/** Each answer that was given, the classes that it leaves possible, and in how many cases that holds. */
function answerLines(decisions, coverage) {
  const sets = new Map(decisions.map(({ answer, answer_set: set }) => [answer, set]));
  return [...sets].map(([answer, set]) => {
    const possible = set.length > 1 ? ` (${set.join(" or ")})` : "";
    return `Answer: ${answer}${possible} — ${coverage}`;
  });
}

const decided = (decision, probability) =>
  decision === null ? "no decision: no region" : `${decision} · ${rounded(probability)}`;
