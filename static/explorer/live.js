/** A task's events as they happen: over the websocket, or by asking again and again where that cannot be had. */

import { ApiError, call } from "./api.js";

// Milliseconds. A socket that says nothing for so long may be dead without either end knowing.
const HANDSHAKE = 5_000;
const SILENCE = 45_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 8_000;

// The socket's own code for "this was the last event", and those that another attempt would not change. An error's
// code is its HTTP status and 4000.
const ALL_TOLD = 1000;
const ERRORS = 4000;
const FINAL = [400, 401, 403, 404, 422];
// As browsers tell of a socket that broke, or did not open.
const LOST = { code: 1006, reason: "", heard: false, silent: false };
const NOTHING = { task: null, wait: 0 };

/**
 * Follows a task to its end. `onEvent(event)` gets each event of its log once and in order; `onTask(task)` what polling
 * found; `onConnection("live" | "connecting" | "polling")` how it is listened to.
 *
 * Resolves when the task has ended or `signal` stops it. Throws `ApiError` where it cannot be followed: the key is
 * refused, or there is no such task.
 */
export async function follow(taskId, key, { signal, onEvent, onTask, onConnection }) {
  let known = 0;
  let vain = 0;
  const hear = (event) => {
    known = event.id;
    onEvent(event);
  };
  while (!signal.aborted) {
    const closed = await listen(taskId, {
      key,
      after: known,
      signal,
      onOpen: () => onConnection("live"),
      onEvent: hear,
    });
    if (signal.aborted || closed.code === ALL_TOLD) return;
    if (FINAL.includes(closed.code - ERRORS)) throw errorOf(closed);
    vain = closed.heard || closed.silent ? 0 : vain + 1;
    const found = vain > 0 || closed.silent ? await ask(taskId, key, signal) : NOTHING;
    if (found.task) {
      onTask(found.task);
      if (found.task.status !== "processing") return;
    }
    if (!closed.silent) onConnection(found.task ? "polling" : "connecting");
    await pause(Math.max(waitAfter(vain), found.wait), signal);
  }
}

/** One socket from its opening to its end: `{code, reason, heard, silent}`. */
function listen(taskId, { key, after, signal, onOpen, onEvent }) {
  const socket = open(taskId);
  if (!socket) return LOST;
  return new Promise((resolve) => {
    const done = new AbortController();
    let heard = false;
    let timer;
    // Not every end is followed by the event `close`: not that of a socket that a policy forbids, nor, for minutes, that
    // of one whose network is gone.
    const end = (closed) => {
      clearTimeout(timer);
      done.abort();
      socket.close();
      resolve({ ...LOST, heard, ...closed });
    };
    const expectMore = (milliseconds, closed) => {
      clearTimeout(timer);
      timer = setTimeout(() => end(closed), milliseconds);
    };
    const on = (target, name, listener) => target.addEventListener(name, listener, { signal: done.signal });
    on(signal, "abort", () => end());
    // Another network: what was connected over the last one is dead.
    on(window, "online", () => end());
    on(socket, "error", () => end());
    on(socket, "close", ({ code, reason }) => end({ code, reason }));
    on(socket, "open", () => {
      socket.send(JSON.stringify({ type: "auth", key, after }));
      expectMore(SILENCE, { silent: true });
      onOpen();
    });
    on(socket, "message", ({ data }) => {
      heard = true;
      expectMore(SILENCE, { silent: true });
      const message = JSON.parse(data);
      if (message.type === "event") onEvent(message.event);
    });
    expectMore(HANDSHAKE);
  });
}

/** `{task, wait}`: the task, null where there was no answer; and the milliseconds that the API wants to be left alone. */
async function ask(taskId, key, signal) {
  try {
    const { body } = await call("GET", `/video/status/${encodeURIComponent(taskId)}`, { key, signal });
    return { ...NOTHING, task: body };
  } catch (error) {
    if (error instanceof ApiError && FINAL.includes(error.status)) throw error;
    return { ...NOTHING, wait: (error.retryAfter ?? 0) * 1000 };
  }
}

/** A socket that is about to open, or null where the browser does not let the page have one. */
function open(taskId) {
  const address = new URL(`/ws/video/${encodeURIComponent(taskId)}/`, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  try {
    return new WebSocket(address);
  } catch {
    return null;
  }
}

function errorOf(closed) {
  const status = closed.code - ERRORS;
  const code = { 401: "invalid_api_key", 403: "key_not_allowed", 404: "task_not_found" }[status] ?? null;
  return new ApiError(closed.reason || "The server does not show this task.", { status, code });
}

/** Twice as long each time, and not the same for all: a restarted server is not met by all its pages at once. */
function waitAfter(vain) {
  return Math.min(FIRST_WAIT * 2 ** vain, LONGEST_WAIT) * (0.75 + Math.random() / 2);
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
