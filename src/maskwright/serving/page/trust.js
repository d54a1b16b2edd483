/** What promises of the model say of the image that is shown: sentences, and outer and inner masks. */

import { find, make, show } from "./dom.js";

/** Whether the server has outer and inner masks of an image. */
export const hasBounds = ({ state }) => Boolean(state?.trust?.bounds.length);

/** How doubtful the masks of an image are, from 0 to 2; -1 as long as nothing is known. */
export const doubtOf = ({ state }) => state?.trust?.doubt ?? -1;

/** @param {() => void} changed  Called when outer and inner masks are to be shown, or no longer. */
export function createTrust(changed) {
  const box = find("bounds");
  box.addEventListener("change", changed);

  return {
    set(state) {
      const trust = state?.trust ?? null;
      show(find("trust"), trust !== null);
      show(find("bounds-row"), Boolean(trust?.bounds.length));
      find("trust-lines").replaceChildren(...(trust?.sentences ?? []).map((text) => make("li", {}, text)));
    },

    /** Whether outer and inner masks are to be drawn. */
    get isDrawn() {
      return box.checked;
    },
  };
}
