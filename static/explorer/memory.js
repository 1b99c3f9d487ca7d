/**
 * What this browser keeps. The key, the choices and the history stay until they are cleared; what is filled in and the
 * run of a video stay in this tab, so that a reload loses nothing. Where a browser keeps nothing for the page, it works
 * all the same.
 */

const KEY = "arkroute.key";
const WITH_KEY = "arkroute.explorer.withKey";
const HISTORY = "arkroute.explorer.history";
const DRAFT = "arkroute.explorer.draft";
const RUN = "arkroute.explorer.run";

export const loadKey = () => read("localStorage", KEY) ?? "";
export const saveKey = (key) => write("localStorage", KEY, key);
export const forgetKey = () => write("localStorage", KEY, null);

/** Whether copied code holds the key. */
export const loadWithKey = () => read("localStorage", WITH_KEY) ?? true;
export const saveWithKey = (isWith) => write("localStorage", WITH_KEY, isWith);

/** `{model, values}`, or null. */
export const loadDraft = () => read("sessionStorage", DRAFT);
export const saveDraft = (draft) => write("sessionStorage", DRAFT, draft);

/** `{taskId, requestId, estimate, standIn}` of the task, or null where another was run here last. */
export function loadRun(taskId) {
  const run = read("sessionStorage", RUN);
  return run?.taskId === taskId ? run : null;
}
export const saveRun = (run) => write("sessionStorage", RUN, run);

/** The last calls made here, the newest first. */
export function loadHistory() {
  const entries = read("localStorage", HISTORY);
  return Array.isArray(entries) ? entries : [];
}

/** Keeps as many of `entries` as there is room for. */
export function saveHistory(entries) {
  let kept = entries.length ? entries : null;
  while (!write("localStorage", HISTORY, kept) && kept) kept = kept.length > 1 ? kept.slice(0, kept.length / 2) : null;
}

/** `values` without pictures and files, which would fill a storage. */
export function keepable(values) {
  const isSmall = (value) => !(value instanceof Blob) && !JSON.stringify(value).includes('"data:');
  return Object.fromEntries(Object.entries(values).filter(([, value]) => isSmall(value)));
}

// A browser that is told to keep nothing throws as soon as a storage is named.
function read(storage, name) {
  try {
    return JSON.parse(window[storage].getItem(name));
  } catch {
    return null;
  }
}

/** Whether it was kept. */
function write(storage, name, value) {
  try {
    if (value === null) window[storage].removeItem(name);
    else window[storage].setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
