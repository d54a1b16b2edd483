/**
 * Requests to the server that this page comes from. A busy server is asked again when it says so, one that
 * cannot be reached again and again; whoever is not signed in is asked for the token first.
 */

/** The server refused: its one sentence, and its status. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

const LONGEST_WAIT = 30; // seconds between two tries

/** What the page does when the server is away, busy, back (null), or wants a token. */
export const heard = {
  trouble: (_sentence) => {},
  signIn: async () => {},
};

/**
 * @param {string} path  Below `api/`.
 * @param {object} options  method, body, headers, signal; progress, called with the share of the body sent.
 * @returns {Promise<Response>} An answer that is good.
 * @throws {Refused} If the server refused for another reason than being busy.
 */
export async function ask(path, options = {}) {
  for (let tries = 0; ; tries++) {
    options.signal?.throwIfAborted();
    const answer = await once(`api/${path}`, options);
    if (answer?.ok) {
      heard.trouble(null);
      return answer;
    }
    if (answer?.status === 401) {
      await heard.signIn();
    } else if (answer && answer.status !== 503) {
      heard.trouble(null);
      throw new Refused(answer.status, await sentenceOf(answer));
    } else {
      const seconds = answer ? Number(answer.headers.get("Retry-After")) || 1 : 2 ** Math.min(tries, 3);
      heard.trouble(
        answer ? "The server is busy; waiting for it." : "The server cannot be reached; trying again.",
      );
      await pause(Math.min(seconds, LONGEST_WAIT), options.signal);
    }
  }
}

export const askJson = async (path, options) => (await ask(path, options)).json();

/** What a form's file is sent as; more than one try, as `ask`. */
export function upload(path, name, file, progress) {
  const body = new FormData();
  body.append(name, file, file.name);
  return ask(path, { method: "POST", body, progress });
}

/** An answer, or null where there was no server to give one. */
async function once(address, { progress, ...options }) {
  try {
    return progress ? await sent(address, options, progress) : await fetch(address, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    return null;
  }
}

/** As `fetch`, which cannot tell how much of a body has been sent. */
function sent(address, { method, body }, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    request.responseType = "blob";
    request.upload.onprogress = (event) => progress(event.loaded / event.total);
    request.onerror = () => reject(new TypeError("no answer"));
    request.onload = () => {
      const retry = request.getResponseHeader("Retry-After");
      const headers = retry ? { "Retry-After": retry } : {};
      resolve(new Response(request.response, { status: request.status, headers }));
    };
    request.send(body);
  });
}

async function sentenceOf(answer) {
  try {
    const { detail } = await answer.json();
    if (typeof detail === "string") return detail;
  } catch {
    // Not one of this server's answers: something between it and the page.
  }
  return `The server answered with status ${answer.status}.`;
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Save what the server gives, under the name it gives. */
export async function download(path) {
  const answer = await ask(path);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = nameIn(answer.headers.get("Content-Disposition")) ?? path.split("?")[0].split("/").pop();
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function nameIn(disposition = "") {
  const encoded = /filename\*=(?:utf-8|UTF-8)''([^;]+)/.exec(disposition ?? "");
  if (encoded) return decodeURIComponent(encoded[1]);
  return /filename="?([^";]+)"?/.exec(disposition ?? "")?.[1] ?? null;
}

export async function unpacked(answer) {
  return new Uint8Array(await answer.arrayBuffer());
}
