/** Server-sent events of an answer that is read while it comes. Format: the WHATWG HTML standard, section 9.2. */

import { ApiError } from "./api.js";

// What ends a stream of chunks.
const DONE = "[DONE]";
// What an error has after the beginning: its status was told to be a success.
const BEGUN = { status: null, cost: "What had come until then is charged." };

/**
 * The JSON of each event of `response`, until it ends or says `[DONE]`.
 *
 * Throws `ApiError` for an event that tells an error, and where the connection breaks; what had come until then stays
 * what it is. Throws `AbortError` when the request was stopped.
 */
export async function* readAnswers(response) {
  const requestId = response.headers.get("x-request-id");
  try {
    for await (const { data } of readEvents(response.body)) {
      if (data === DONE) return;
      const answer = JSON.parse(data);
      if (answer.error) {
        const { message, code, param } = answer.error;
        throw new ApiError(message, { ...BEGUN, code, param, requestId });
      }
      yield answer;
    }
  } catch (error) {
    // What `fetch` throws where the network fails.
    throw error instanceof TypeError ? cutOff(requestId) : error;
  }
}

/** The error of an answer whose end never came. */
export function cutOff(requestId) {
  return new ApiError("The connection broke while the answer came.", { ...BEGUN, code: "cut_off", requestId });
}

/** The events of `body`, a stream of bytes: `{id, name, data}`. Comments are left out. */
export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { id: "", name: "message", data: [] };
  try {
    for (let ended = false; !ended; ) {
      const { done, value = "" } = await reader.read();
      ended = done;
      // A carriage return at the end may be the first half of a line's end.
      const lines = (rest + value).split(ended ? /\r\n|\n|\r/ : /\r\n|\n|\r(?!$)/);
      // What is left of an event without its empty line was cut off.
      rest = lines.pop();
      for (const line of lines) {
        if (line) {
          note(event, line);
          continue;
        }
        if (event.data.length) yield { ...event, data: event.data.join("\n") };
        event = { id: event.id, name: "message", data: [] };
      }
    }
  } finally {
    // Also where the caller has heard enough: the connection ends with it.
    await reader.cancel();
  }
}

function note(event, line) {
  const [, field, value] = /^([^:]*):? ?([^]*)$/.exec(line);
  if (field === "data") event.data.push(value);
  else if (field === "event") event.name = value;
  else if (field === "id") event.id = value;
}
