/** The explorer: a form for a model's parameters, a run of it, and the code that does the same. */

import { ApiError, call } from "./api.js";
import { codeForTask } from "./code.js";
import { creditsText, make, partsOf } from "./dom.js";
import { estimate } from "./estimate.js";
import { ParameterForm } from "./form.js";
import { KeyField } from "./key.js";
import { follow } from "./live.js";
import { loadDraft, loadRun, saveDraft, saveRun } from "./memory.js";
import { hideProblem, showProblem } from "./problem.js";
import { makeTabs } from "./tabs.js";
import { TaskView } from "./task.js";
import { cancelVideo, createVideo, PATHS, readVideo } from "./video.js";

const root = document.getElementById("explorer");
const parts = partsOf(root);
const form = new ParameterForm(parts.parameters, parts.more);
const key = new KeyField(parts, { onChange: resume });
const view = new TaskView(root, { refresh: () => readVideo(key.value, followed.taskId).catch(() => null) });
let models = [];
// The task that is followed, and how to stop that.
let followed = { taskId: null, stop: new AbortController() };

const model = () => models.find(({ id }) => id === parts.model.value);

/** Shows `error` where results are shown. `cost` says what it means for the credits. */
function report(error, cost = "") {
  parts.empty.hidden = true;
  showProblem(parts.problem, error, cost);
}

// --- The form --------------------------------------------------------------------------------------------------------

async function showModels() {
  try {
    const { body } = await call("GET", "/models");
    models = body.data.filter(({ type }) => type === "video");
  } catch (error) {
    report(error);
    return;
  }
  const groups = new Map(models.map(({ vendor }) => [vendor, make("optgroup", { label: vendor })]));
  for (const { id, vendor, pricing } of models) {
    groups.get(vendor).append(make("option", { value: id }, `${id} · ${creditsText(pricing.credits)}`));
  }
  parts.model.replaceChildren(...groups.values());
  const draft = loadDraft();
  const wanted = new URLSearchParams(location.search).get("model") ?? draft?.model;
  const cheapest = models.toSorted((one, other) => one.pricing.credits - other.pricing.credits)[0];
  const chosen = models.find(({ id }) => id === wanted) ?? cheapest;
  if (!chosen) return;
  parts.model.value = chosen.id;
  parts.run.disabled = false;
  showModel(draft?.values ?? {});
}

function showModel(values) {
  const { pricing, description, parameters } = model();
  parts.description.textContent = `${description} ${creditsText(pricing.credits)} for ${pricing.seconds} seconds.`;
  form.show(parameters, values);
  showRequest();
}

/** What follows from the form: the estimate, the code, and what a reload must not lose. */
function showRequest() {
  const values = form.read();
  parts.estimate.textContent = `About ${creditsText(estimate(model(), values))}`;
  const code = codeForTask(root.dataset.site, PATHS, { model: model().id, ...values });
  for (const [language, text] of Object.entries(code)) parts[language].textContent = text;
  const kept = Object.entries(values).filter(([, value]) => !String(value).startsWith("data:"));
  parts.copied.textContent = "";
  saveDraft({ model: model().id, values: Object.fromEntries(kept) });
}

// --- A run -----------------------------------------------------------------------------------------------------------

async function run(event) {
  event.preventDefault();
  hideProblem(parts.problem);
  if (!key.value) {
    key.refuse("Paste an API key: the call is made with it, and paid by its owner.");
    return;
  }
  if (!form.check()) return;
  const values = form.read();
  parts.run.disabled = true;
  parts.run.textContent = "Sending…";
  try {
    const { body: task, requestId, standIn } = await createVideo(key.value, { model: model().id, ...values });
    saveRun({ taskId: task.task_id, requestId, standIn, estimate: estimate(model(), values) });
    history.replaceState(null, "", `?task=${encodeURIComponent(task.task_id)}`);
    watch(task);
    parts.title.focus();
  } catch (error) {
    refuse(error);
  } finally {
    parts.run.textContent = "Run";
    parts.run.disabled = isFollowing();
  }
}

/** Says that the API refused the call, and goes to what has to be changed. */
function refuse(error) {
  if (!(error instanceof ApiError)) throw error;
  const unknown = "The video may have been begun all the same: see your balance before you run it again.";
  report(error, error.status ? "Nothing was charged." : unknown);
  if (error.status === 401) {
    key.refuse(error.message);
  } else if (!error.param || !form.refuse(error.param, error.message)) {
    parts.title.focus();
  }
}

function isFollowing() {
  return followed.taskId !== null && !view.isEnded && !followed.stop.signal.aborted;
}

/** Follows `task` on the page until its end. */
async function watch(task) {
  followed.stop.abort();
  const stop = new AbortController();
  followed = { taskId: task.task_id, stop };
  hideProblem(parts.problem);
  view.begin(loadRun(task.task_id) ?? {});
  view.show(task);
  parts.run.disabled = isFollowing();
  try {
    await follow(task.task_id, key.value, {
      signal: stop.signal,
      onEvent: (event) => view.add(event),
      onTask: (found) => view.show(found),
      onConnection: (name) => view.showConnection(name),
    });
  } catch (error) {
    view.stop();
    stop.abort();
    report(error, "The video itself goes on.");
  }
  if (followed.stop !== stop) return;
  parts.run.disabled = isFollowing();
  key.check();
}

async function cancel() {
  hideProblem(parts.problem);
  parts.cancel.disabled = true;
  try {
    view.show(await cancelVideo(key.value, followed.taskId));
    parts.title.focus();
  } catch (error) {
    report(error);
  } finally {
    parts.cancel.disabled = false;
  }
}

/** Takes up the task that the page's address names, as after a reload. */
async function resume() {
  const taskId = addressedTask();
  if (!taskId || isFollowing()) return;
  if (!key.value) {
    parts.empty.hidden = false;
    parts.emptyText.textContent = "Give your API key to see the video that this page's address names.";
    return;
  }
  hideProblem(parts.problem);
  try {
    const task = await readVideo(key.value, taskId);
    // Unless another was run meanwhile.
    if (addressedTask() === taskId && !isFollowing()) watch(task);
  } catch (error) {
    report(error);
  }
}

function addressedTask() {
  return new URLSearchParams(location.search).get("task");
}

// --- The page --------------------------------------------------------------------------------------------------------

function copyCode() {
  const shown = parts.samples.querySelector('[role="tabpanel"]:not([hidden])');
  navigator.clipboard.writeText(shown.textContent).then(
    () => (parts.copied.textContent = "Copied"),
    () => (parts.copied.textContent = "The browser did not allow it."),
  );
}

parts.model.addEventListener("change", () => showModel(form.read()));
parts.call.addEventListener("submit", run);
parts.call.addEventListener("input", ({ target }) => {
  if (target !== parts.key && target !== parts.model) showRequest();
});
parts.cancel.addEventListener("click", cancel);
// Browsers have no clipboard for pages that came by plain http.
parts.copy.hidden = !navigator.clipboard;
parts.copy.addEventListener("click", copyCode);
makeTabs(parts.languages);
await showModels();
resume();
