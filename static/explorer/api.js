/** Calls to this site's own API. */

export const API = "/v1";

/**
 * An answer that is no success, in the API's words. `status` is 0 where there was no answer at all; `retryAfter` is in
 * seconds, null where the API names none.
 */
export class ApiError extends Error {
  constructor(message, { status = 0, code = null, param = null, requestId = null, retryAfter = null } = {}) {
    super(message);
    Object.assign(this, { status, code, param, requestId, retryAfter });
  }
}

// How far the server's clock is ahead of this one's, in milliseconds.
let ahead = 0;

/** The server's time, in seconds since 1970: what its own times are compared with. */
export function serverNow() {
  return (Date.now() + ahead) / 1000;
}

/** `{body, requestId, standIn}` of an answer. Throws `ApiError`. */
export async function call(method, path, { key = "", body = null, signal = null } = {}) {
  const headers = {};
  if (key) headers.authorization = `Bearer ${checkKey(key)}`;
  if (body) headers["content-type"] = "application/json";
  let response, text;
  try {
    response = await fetch(API + path, { method, headers, signal, body: body && JSON.stringify(body) });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached, or the connection broke.", { code: "unreachable" });
  }
  noteClock(response);
  const requestId = response.headers.get("x-request-id");
  const answer = parse(text);
  if (response.ok && answer) {
    return { body: answer, requestId, standIn: response.headers.get("x-arkroute-stand-in") === "true" };
  }
  const error = answer?.error ?? { message: "Something between here and the API answered in its place.", code: null };
  throw new ApiError(error.message, {
    status: response.status,
    code: error.code,
    param: error.param,
    requestId,
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

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function noteClock(response) {
  const told = Date.parse(response.headers.get("date"));
  // Headers tell whole seconds.
  if (Math.abs(told - Date.now()) > 2000) ahead = told - Date.now();
}
