/** Videos: a task is made, followed to its end, and perhaps cancelled. */

import { call } from "./api.js";
import { follow } from "./live.js";
import { loadRun, saveRun } from "./memory.js";
import { describable } from "./quote.js";
import { TaskView } from "./task.js";

const PATHS = { create: "/video/generations", status: "/video/status", cancel: "/video/cancel" };
const EXAMPLE = "Waves roll past a lighthouse at dawn";
const USUAL = ["prompt", "image", "duration", "aspect_ratio", "resolution", "audio"];

export class VideoView {
  busyLabel = "Sending…";
  stoppedText = "The video may have been begun all the same: see your balance before you run it again.";

  /**
   * `page` besides the usual has `estimate()`, `answered(answer)`, `failed(error, cost)` for what happens after a run, and
   * `ended(taskId, credits)`.
   */
  constructor(root, page) {
    this.page = page;
    this.root = root;
    this.task = null;
    this.stopFollowing = new AbortController();
    this.view = new TaskView(root, {
      refresh: () => this.#read(this.taskId).catch(() => null),
      announce: page.announce,
      receipts: root.dataset.receipts,
    });
    this.view.parts.cancel.addEventListener("click", () => this.stop());
  }

  /** The task that is shown, or null. */
  get taskId() {
    return this.task;
  }

  /** Whether a task is followed that has not ended. */
  get isAtWork() {
    return this.task !== null && !this.view.isEnded && !this.stopFollowing.signal.aborted;
  }

  schema({ parameters: { properties, required } }) {
    const fields = { ...properties };
    if (fields.prompt) fields.prompt = { ...fields.prompt, examples: [EXAMPLE] };
    return { properties: fields, required, usual: USUAL };
  }

  compose(values) {
    return values;
  }

  describe(body) {
    return describable(body);
  }

  /** Resolves as soon as there is a task, which is followed from then on. */
  async run(body, { signal }) {
    const { page } = this;
    const sent = { model: page.model().id, ...body };
    const answer = await call("POST", PATHS.create, { key: page.key(), body: sent, signal });
    const taskId = answer.body.task_id;
    saveRun({ taskId, requestId: answer.requestId, standIn: answer.standIn, estimate: page.estimate()?.credits });
    this.#watch(answer.body);
    return { ...answer, credits: null, taskId, summary: body.prompt };
  }

  /** Shows the task of that id, also one that was made long ago. Throws `ApiError`. */
  async resume(taskId) {
    if (this.task === taskId && this.isAtWork) return;
    const task = await this.#read(taskId);
    this.#watch(task);
  }

  /** Cancels the task that is followed. */
  async stop() {
    const { cancel } = this.view.parts;
    cancel.disabled = true;
    try {
      const { body } = await call("POST", pathOf(PATHS.cancel, this.task), { key: this.page.key() });
      this.view.show(body);
    } catch (error) {
      this.page.failed(error, "The video goes on.");
    } finally {
      cancel.disabled = false;
    }
  }

  /** Says what to do for a video to appear. */
  invite(text) {
    this.view.parts.invitation.textContent = text;
  }

  clear() {
    this.stopFollowing.abort();
    this.task = null;
    this.view.clear();
  }

  /** Follows `task` on the page until its end. */
  async #watch(task) {
    const { page, view } = this;
    this.stopFollowing.abort();
    const stop = (this.stopFollowing = new AbortController());
    this.task = task.task_id;
    view.begin(loadRun(task.task_id) ?? {});
    view.show(task);
    page.answered(task);
    const heard = (told) => page.answered(told);
    try {
      await follow(task.task_id, page.key(), {
        signal: stop.signal,
        onEvent: (event) => {
          view.add(event);
          heard(event.task);
        },
        onTask: (found) => {
          view.show(found);
          heard(found);
        },
        onConnection: (name) => view.showConnection(name),
      });
    } catch (error) {
      view.stop();
      stop.abort();
      page.failed(error, "The video itself goes on.");
    }
    if (this.stopFollowing === stop) page.ended(task.task_id, view.task.credits ?? 0);
  }

  async #read(taskId) {
    return (await call("GET", pathOf(PATHS.status, taskId), { key: this.page.key() })).body;
  }
}

function pathOf(path, taskId) {
  return `${path}/${encodeURIComponent(taskId)}`;
}
