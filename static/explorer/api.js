/** Calls to this site's own API. */

export const API = "/v1";

/**
 * An answer that is no success, in the API's words. `status` is 0 where there was no answer at all; `retryAfter` is in
 * seconds, null where the API names none. `cost` is a sentence on what it means for the credits, where that is not plain.
 */
export class ApiError extends Error {
  constructor(message, { status = 0, code = null, param = null, requestId = null, retryAfter = null, cost = null } = {}) {
    super(message);
    Object.assign(this, { status, code, param, requestId, retryAfter, cost });
  }
}

// How far the server's clock is ahead of this one's, in milliseconds.
let ahead = 0;

/** The server's time, in seconds since 1970: what its own times are compared with. */
export function serverNow() {
  return (Date.now() + ahead) / 1000;
}

/**
 * `{body, requestId, credits, standIn, servedBy}` of an answer: `body` is a text where it is no JSON, and the rest is
 * what `told` reads. A `FormData` is sent as a form, all else as JSON. Throws `ApiError`, and `AbortError` when stopped.
 */
export async function call(method, path, options = {}) {
  const response = await open(method, path, options);
  const text = await reading(() => response.text());
  return { body: isJson(response) ? parse(text) : text, ...told(response) };
}

/** The answer itself, as soon as its headers are there and tell of a success. Throws as `call` does. */
export async function open(method, path, { key = "", body = null, signal = null } = {}) {
  const headers = {};
  if (key) headers.authorization = `Bearer ${checkKey(key)}`;
  const isForm = body instanceof FormData;
  if (body && !isForm) headers["content-type"] = "application/json";
  const sent = body && !isForm ? JSON.stringify(body) : body;
  const response = await reading(() => fetch(API + path, { method, headers, signal, body: sent }));
  noteClock(response);
  const isPage = response.headers.get("content-type")?.startsWith("text/html");
  if (response.ok && !isPage) return response;
  throw refusal(response, isPage ? "" : await reading(() => response.text()));
}

/** What the headers of an answer tell: `credits` is null where they are charged later, as for a stream. */
export function told(response) {
  const credits = response.headers.get("x-arkroute-credits");
  return {
    requestId: response.headers.get("x-request-id"),
    credits: credits === null ? null : Number(credits),
    standIn: response.headers.get("x-arkroute-stand-in") === "true",
    servedBy: response.headers.get("x-arkroute-model"),
  };
}

/** What `step` resolves to; its failure is one of the connection. */
async function reading(step) {
  try {
    return await step();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached, or the connection broke.", { code: "unreachable" });
  }
}

function refusal(response, text) {
  const error = parse(text)?.error ?? { message: "Something between here and the API answered in its place." };
  return new ApiError(error.message, {
    status: response.status,
    code: error.code ?? null,
    param: error.param ?? null,
    requestId: response.headers.get("x-request-id"),
    retryAfter: Number(response.headers.get("retry-after")) || null,
  });
}

/** Headers take ASCII alone, so that `fetch` would refuse what was copied with an ellipsis in it. */
function checkKey(key) {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new ApiError("This is no API key. Copy it whole, from its `ark-` on.", {
    status: 401,
    code: "invalid_api_key",
  });
}

function isJson(response) {
  return response.headers.get("content-type")?.startsWith("application/json") ?? false;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function noteClock(response) {
  const time = Date.parse(response.headers.get("date"));
  // Headers tell whole seconds.
  if (Math.abs(time - Date.now()) > 2000) ahead = time - Date.now();
}
