/** Sign-in dialog for the access token. */

import { find } from "./dom.js";

let signingIn = null;

/** Ask for the token until the server accepts it; concurrent callers share one dialog. */
export function signIn() {
  signingIn ??= signedIn().finally(() => (signingIn = null));
  return signingIn;
}

function signedIn() {
  const dialog = find("sign-in");
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    find("sign-in-form").onsubmit = async (event) => {
      event.preventDefault();
      const body = JSON.stringify({ token: find("token").value });
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch("api/login", { method: "POST", body, headers }).catch(() => null);
      if (answer?.ok) {
        dialog.close();
        resolve();
      } else {
        const refused = await answer?.json().catch(() => null);
        find("sign-in-trouble").textContent = refused?.detail ?? "The server cannot be reached; try again.";
      }
    };
  });
}
