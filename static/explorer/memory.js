/**
 * What this browser keeps. The key stays until it is forgotten; what was filled in and run stays in this tab, so that a
 * reload loses nothing. Where a browser keeps nothing for the page, it works all the same.
 */

const KEY = "arkroute.key";
const DRAFT = "arkroute.explorer.draft";
const RUN = "arkroute.explorer.run";

export const loadKey = () => read("localStorage", KEY) ?? "";
export const saveKey = (key) => write("localStorage", KEY, key);
export const forgetKey = () => write("localStorage", KEY, null);

/** `{model, values}`, or null. */
export const loadDraft = () => read("sessionStorage", DRAFT);
export const saveDraft = (draft) => write("sessionStorage", DRAFT, draft);

/** `{taskId, requestId, estimate, standIn}` of the task, or null where another was run here last. */
export function loadRun(taskId) {
  const run = read("sessionStorage", RUN);
  return run?.taskId === taskId ? run : null;
}
export const saveRun = (run) => write("sessionStorage", RUN, run);

// A browser that is told to keep nothing throws as soon as a storage is named.
function read(storage, name) {
  try {
    return JSON.parse(window[storage].getItem(name));
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    if (value === null) window[storage].removeItem(name);
    else window[storage].setItem(name, JSON.stringify(value));
  } catch {
    return;
  }
}
