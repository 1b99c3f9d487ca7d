/** The explorer: a form for a model's parameters, what the call costs, its code, a run of it, and what came of it. */

import { ApiError } from "./api.js";
import { CodePanel } from "./code.js";
import { Cost } from "./cost.js";
import { partsOf } from "./dom.js";
import { Drafts } from "./drafts.js";
import { ParameterForm } from "./form.js";
import { History } from "./history.js";
import { jsonText } from "./json.js";
import { KeyField } from "./key.js";
import { keepable } from "./memory.js";
import { ModelPicker } from "./picker.js";
import { Quote } from "./quote.js";
import { Report } from "./report.js";
import { makeViews } from "./views.js";

// Milliseconds.
const DOUBLE_CLICK = 500;
const UNKNOWN_COST = "Whether it was charged is not known: see your balance.";
// Pixels at the top that the site's header covers.
const HEADER = 56;

const root = document.getElementById("explorer");
const parts = partsOf(root);
const form = new ParameterForm(parts.parameters, parts.more);
const cost = new Cost(parts);
const code = new CodePanel(parts.code, { key: () => key.value });
const report = new Report(parts, { receipts: root.dataset.receipts });
const quote = new Quote({ onAnswer: showQuote });
const key = new KeyField(parts, { onChange: keyChanged });
const picker = new ModelPicker(parts, { onChange: modelChanged });
const past = new History(parts, { onOpen: open });

// What a view is given of the page.
const page = {
  key: () => key.value,
  model: () => picker.model,
  announce: (text) => (parts.announcement.textContent = text),
  changed: ask,
  site: root.dataset.site,
  estimate: () => estimate,
  has: (field) => form.has(field),
  fill: (values) => {
    form.fill(values);
    ask();
  },
  write: (values) => {
    form.write(values);
    ask();
  },
};
const views = makeViews(root, (type) => ({ ...page, ...reportsOf(type) }));
const drafts = new Drafts();
// The last answer of each type.
const answers = {};
// The answer to the last question about the price, and the run that is under way.
let estimate = null;
let running = null;
// The type and the model whose form is shown.
let shown = {};

const view = () => views[picker.type];

/** What a view says of its calls, also while another type is looked at. */
function reportsOf(type) {
  return {
    answered: (answer) => {
      answers[type] = answer;
      if (type === picker.type) showAnswer();
    },
    failed: (error, consequence) => {
      report.fail(type, error, consequence);
      showButtons();
    },
    ended: (taskId, credits) => {
      past.tellCost(taskId, credits);
      key.check();
      showButtons();
      if (type === picker.type) reveal(parts.result);
    },
  };
}

// --- The form --------------------------------------------------------------------------------------------------------

function modelChanged() {
  const { model, type } = picker;
  if (shown.type !== type) showType(type);
  if (model && shown.id !== model.id) {
    if (shown.id) drafts.take(type, form);
    shown = { type, id: model.id };
    form.show(view().schema(model), drafts.of(type));
    showAddress();
    ask({ atOnce: true });
  }
  showButtons();
}

function showType(type) {
  if (shown.id) drafts.take(shown.type, form);
  shown = {};
  for (const panel of root.querySelectorAll("[data-view]")) panel.hidden = panel.dataset.view !== type;
  report.show(type);
  showAnswer();
}

/** Asks for the price and the code of the call as it is filled in, and keeps that for a reload. */
function ask({ atOnce = false } = {}) {
  const { model, type } = picker;
  if (!model || shown.id !== model.id) return;
  const read = form.read();
  const body = view().compose(read);
  quote.ask(model.id, view().describe(body), { atOnce });
  drafts.save(type, model.id, read);
}

function showQuote(answer) {
  estimate = answer?.estimate ?? null;
  if (answer?.code) code.show(answer.code);
  if (estimate) {
    cost.show(estimate);
    return;
  }
  const refusal = answer?.error;
  const isBeside = refusal?.param && form.hint(refusal.param, shortened(refusal.message));
  const message = isBeside ? "See above" : shortened(refusal?.message ?? "The price is not to be had at the moment.");
  cost.refuse(message.replaceAll("`", ""));
}

/** Without the end of a long list of what is allowed. */
function shortened(message) {
  return message.length > 240 ? `${message.slice(0, 220)}…` : message;
}

// --- A run -----------------------------------------------------------------------------------------------------------

async function run(event) {
  event.preventDefault();
  const { type, model } = picker;
  if (!model || isBusy()) return;
  if (!key.value) {
    key.refuse("Paste an API key: the call is made with it, and paid by its owner.");
    return;
  }
  if (!form.check()) return;
  const filled = form.read();
  const body = view().compose(filled);
  const stop = new AbortController();
  running = { type, stop, begun: Date.now() };
  report.begin(type, { label: view().busyLabel ?? "Running…", estimate });
  showButtons();
  parts.resultTab.click();
  reveal(parts.result);
  page.announce(view().busyLabel ?? "Running…");
  try {
    const outcome = await view().run(body, { signal: stop.signal });
    finish(type, outcome, { model: model.id, values: filled });
  } catch (error) {
    refuse(type, error);
  } finally {
    running = null;
    showButtons();
    reveal(parts.result);
  }
}

async function finish(type, outcome, call) {
  const { requestId, credits = null, taskId = null, picture = null, summary } = outcome;
  past.add({ type, ...call, values: keepable(call.values), summary, credits, requestId, taskId, picture });
  if (taskId) {
    // Its own view tells what becomes of it.
    report.forget(type);
    showAddress();
    key.check();
    return;
  }
  report.succeed(type, outcome);
  page.announce(parts.state.textContent);
  report.tellBalance(type, await key.check());
  ask();
}

/** Says that the API refused the call, and goes to what has to be changed. */
async function refuse(type, error) {
  if (error.name === "AbortError") {
    report.stop(type, views[type].stoppedText ?? "What was delivered by then is charged: your requests tell how much.");
    page.announce("Stopped");
    key.check();
    return;
  }
  if (!(error instanceof ApiError)) {
    report.forget(type);
    throw error;
  }
  report.fail(type, error, error.cost ?? (error.status ? "Not charged." : UNKNOWN_COST));
  await key.check();
  if (error.status === 401) key.refuse(error.message);
  else if (error.param) form.refuse(error.param, shortened(error.message));
}

function stop() {
  if (!running) view().stop?.();
  // The second click of two that were meant for "Run" is none for "Stop", which is in its place.
  else if (Date.now() - running.begun > DOUBLE_CLICK) running.stop.abort();
}

function isBusy() {
  return Boolean(running) || Boolean(view().isAtWork);
}

function showButtons() {
  const isAtWork = isBusy();
  const [now, other] = isAtWork ? [parts.stop, parts.run] : [parts.run, parts.stop];
  const hadFocus = document.activeElement === other;
  now.hidden = false;
  other.hidden = true;
  if (hadFocus) now.focus();
  parts.run.setAttribute("aria-disabled", String(!picker.model));
  // An answer belongs to the model that was asked.
  parts.types.disabled = parts.model.disabled = Boolean(running);
}

// --- What came of it -------------------------------------------------------------------------------------------------

function showAnswer() {
  const answer = answers[picker.type];
  parts.json.textContent = answer === undefined ? "" : jsonText(answer);
  parts.jsonPanel.hidden = answer === undefined;
  parts.jsonEmpty.hidden = answer !== undefined;
}

/** Takes up a call of the history: its form, and for a video its task. */
async function open(entry) {
  if (running || !picker.has(entry.model)) return;
  drafts.put(entry.type, entry.values);
  shown = {};
  await choose(entry.model, entry.type);
  if (entry.taskId) await resume(entry.taskId);
  reveal(parts.call);
  parts.parameters.querySelector("textarea, input, select")?.focus();
}

async function choose(id, type = null) {
  try {
    await picker.choose(id, type);
  } catch (error) {
    report.fail(picker.type, error, "");
  }
}

/** Takes up a video's task, as after a reload. */
async function resume(taskId) {
  if (!taskId || !views.video) return;
  if (!key.value) {
    views.video.invite("Give your API key to see the video that this page's address names.");
    return;
  }
  try {
    await views.video.resume(taskId);
    showAddress();
  } catch (error) {
    report.fail("video", error, "");
    showButtons();
  }
}

function keyChanged() {
  code.showKey();
  const taskId = new URLSearchParams(location.search).get("task");
  if (taskId && !views.video?.isAtWork) resume(taskId);
}

// --- The page --------------------------------------------------------------------------------------------------------

/** The address names what is shown, and leads back to it. */
function showAddress() {
  const asked = new URLSearchParams({ model: picker.id });
  const taskId = view().taskId ?? (picker.type === "video" ? new URLSearchParams(location.search).get("task") : null);
  if (taskId) asked.set("task", taskId);
  history.replaceState(null, "", `?${asked}`);
}

/** Scrolls to `element`, unless its beginning is in view. */
function reveal(element) {
  const { top } = element.getBoundingClientRect();
  if (top < HEADER || top > innerHeight * 0.7) element.scrollIntoView({ block: "start" });
}

function begin() {
  const asked = new URLSearchParams(location.search);
  const type = asked.has("task") ? "video" : null;
  const wanted = [asked.get("model") ?? drafts.last?.model, root.dataset.first];
  choose(wanted.find((id) => picker.has(id, type)) ?? "", type);
  resume(asked.get("task"));
}

parts.call.addEventListener("submit", run);
parts.stop.addEventListener("click", stop);
parts.call.addEventListener("input", ({ target }) => {
  if (target !== parts.key && target !== parts.model && !parts.types.contains(target)) ask();
});
parts.call.addEventListener("change", ({ target }) => {
  if (target.type === "file") ask();
});
parts.call.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) parts.call.requestSubmit();
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) form.pictures?.takeFiles(event.clipboardData.files);
});
begin();
