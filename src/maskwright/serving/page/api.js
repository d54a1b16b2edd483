/**
 * Requests to the server of this page. They are repeated if the server is busy or cannot be reached; without a
 * valid token, the user is asked to sign in first.
 */

/** Error response of the server: its sentence, status and code. */
export class Refused extends Error {
  constructor(status, sentence, code = null) {
    super(sentence);
    this.status = status;
    this.code = code;
  }
}

const LONGEST_WAIT = 30; // seconds between two attempts

/** Handlers: trouble(sentence or null) if the server is unreachable, busy or back; signIn() for a token. */
export const heard = {
  trouble: (_sentence) => {},
  signIn: async () => {},
};

/**
 * @param {string} path  Below `api/`.
 * @param {object} options  method, body, headers, signal; progress, called with the uploaded fraction.
 * @returns {Promise<Response>} Successful response.
 * @throws {Refused} For any other error status than 401 and 503.
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
      throw await refusal(answer);
    } else {
      const seconds = answer ? Number(answer.headers.get("Retry-After")) || 1 : 2 ** Math.min(tries, 3);
      heard.trouble(
        answer ? "The server is busy; waiting." : "The server cannot be reached; retrying.",
      );
      await pause(Math.min(seconds, LONGEST_WAIT), options.signal);
    }
  }
}

export const askJson = async (path, options) => (await ask(path, options)).json();

/** Upload a file as form data, with retries as in `ask`. */
export function upload(path, name, file, progress) {
  const body = new FormData();
  body.append(name, file, file.name);
  return ask(path, { method: "POST", body, progress });
}

/** Response, or null if the server cannot be reached. */
async function once(address, { progress, ...options }) {
  try {
    return progress ? await sent(address, options, progress) : await fetch(address, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    return null;
  }
}

/** Like `fetch`, with upload progress, which `fetch` does not report. */
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

async function refusal(answer) {
  const { status } = answer;
  try {
    const { detail, code } = await answer.json();
    if (typeof detail === "string") return new Refused(status, detail, code);
  } catch {
    // Not a response of this server, but of a proxy.
  }
  return new Refused(status, `The server answered with status ${status}.`);
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

/** Download a file under the name given by the server. */
export async function download(path, options) {
  const answer = await ask(path, options);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = nameIn(answer.headers.get("Content-Disposition")) ?? path.split("?")[0].split("/").pop();
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return answer;
}

function nameIn(disposition = "") {
  const encoded = /filename\*=(?:utf-8|UTF-8)''([^;]+)/.exec(disposition ?? "");
  if (encoded) return decodeURIComponent(encoded[1]);
  return /filename="?([^";]+)"?/.exec(disposition ?? "")?.[1] ?? null;
}

export async function unpacked(answer) {
  return new Uint8Array(await answer.arrayBuffer());
}
