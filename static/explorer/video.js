/** Videos: a task is made, followed to its end, and perhaps cancelled. */

import { call } from "./api.js";

export const PATHS = { create: "/video/generations", status: "/video/status", cancel: "/video/cancel" };

/** `{body, requestId, standIn}`, `body` being the task. Throws `ApiError`, as the others do. */
export const createVideo = (key, body) => call("POST", PATHS.create, { key, body });

/** The task as it is now. */
export const readVideo = async (key, taskId) => (await call("GET", pathOf(PATHS.status, taskId), { key })).body;

/** The task, cancelled, or ended as it had. A provider may be at work on it that does not stop: then it throws. */
export const cancelVideo = async (key, taskId) => (await call("POST", pathOf(PATHS.cancel, taskId), { key })).body;

function pathOf(path, taskId) {
  return `${path}/${encodeURIComponent(taskId)}`;
}
