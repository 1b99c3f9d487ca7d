/** A task on the page: its state in words, its progress, its events, and in the end its clip or why there is none. */

import { serverNow } from "./api.js";
import { copyText, creditsText, make, partsOf } from "./dom.js";

const WORDS = {
  queued: "Waiting for its turn",
  processing: "Being made",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};
const CONNECTIONS = {
  live: "Live",
  connecting: "Connecting…",
  polling: "Asking every few seconds: there is no live connection",
};

export class TaskView {
  /**
   * `refresh()` gets the task anew: links to clips expire. `announce(text)` tells those who cannot see. `receipts` is
   * where a request's receipt is, with `ID` in its place, or nothing.
   */
  constructor(root, { refresh, announce, receipts }) {
    this.parts = partsOf(root);
    this.refresh = refresh;
    this.announce = announce;
    this.receipts = receipts;
    this.task = null;
    this.parts.copyTask.addEventListener("click", () => copyText(this.parts.copyTask, this.task.task_id));
    this.parts.video.addEventListener("error", () => this.#replaceLink());
  }

  /** Begins anew. `run`: `{estimate, requestId, standIn}` as far as it is known. */
  begin(run) {
    this.run = run;
    this.task = null;
    this.state = "";
    this.endedAt = null;
    this.linkIsFresh = false;
    const { parts } = this;
    parts.videoEmpty.hidden = true;
    parts.task.hidden = false;
    parts.standIn.hidden = !run.standIn;
    parts.bar.hidden = parts.percent.hidden = parts.cancel.hidden = parts.cancel.disabled = false;
    parts.failure.hidden = parts.player.hidden = parts.connection.hidden = parts.history.hidden = true;
    parts.bar.value = 0;
    parts.elapsed.textContent = "";
    parts.events.replaceChildren();
    parts.about.replaceChildren();
    parts.video.removeAttribute("src");
    parts.video.load();
    clearInterval(this.clock);
    this.clock = setInterval(() => this.#showTime(), 1000);
  }

  /** Shows that there is none. */
  clear() {
    clearInterval(this.clock);
    this.task = null;
    this.parts.task.hidden = true;
    this.parts.videoEmpty.hidden = false;
  }

  /** Shows the task as an event or an answer tells it. What is older than what is shown changes nothing. */
  show(task, eventType = "") {
    if (this.isEnded || (this.task && task.status === "processing" && task.progress < this.task.progress)) return;
    // One that had ended before it was looked at did so at a time that its last event tells.
    if (this.task && task.status !== "processing") this.endedAt ??= serverNow();
    this.task = task;
    const isQueued = eventType === "video.queued" || (!eventType && !task.progress && this.state !== "processing");
    this.#showState(task.status === "processing" && isQueued ? "queued" : task.status);
    const { bar, percent, cancel } = this.parts;
    bar.value = task.progress;
    percent.textContent = `${task.progress} %`;
    if (this.isEnded) {
      clearInterval(this.clock);
      cancel.hidden = true;
      bar.hidden = task.status !== "completed";
      percent.hidden = task.status !== "completed";
      this.parts.connection.hidden = true;
      if (task.video_url) this.#showClip(task);
      else this.#showFailure(task);
    }
    this.#showTime();
    this.#showAbout();
  }

  /** Adds an event to the list, and shows its task. */
  add(event) {
    const { events, log, history } = this.parts;
    history.hidden = false;
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    const at = new Date(event.created_at * 1000);
    events.append(
      make(
        "li",
        { value: event.id },
        make("time", { datetime: at.toISOString() }, at.toLocaleTimeString("en-GB")),
        make("code", {}, event.type),
        make("span", {}, `${event.task.progress} %`),
      ),
    );
    if (atEnd) log.scrollTop = log.scrollHeight;
    if (event.task.status !== "processing") this.endedAt = event.created_at;
    this.show(event.task, event.type);
    this.#showTime();
  }

  showConnection(name) {
    const { connection } = this.parts;
    connection.hidden = this.isEnded;
    connection.textContent = CONNECTIONS[name];
    connection.dataset.is = name;
  }

  /** Nothing more will be heard of the task, although it may go on. */
  stop() {
    clearInterval(this.clock);
    this.parts.connection.hidden = true;
    this.parts.cancel.hidden = true;
  }

  get isEnded() {
    return Boolean(this.task) && this.task.status !== "processing";
  }

  #showState(state) {
    const { state: shown, task } = this.parts;
    if (state === this.state) return;
    this.state = state;
    task.dataset.state = state;
    shown.textContent = WORDS[state];
    this.announce(WORDS[state]);
  }

  #showTime() {
    const until = this.isEnded ? this.endedAt : serverNow();
    if (!this.task || until === null) return;
    const seconds = Math.max(0, Math.round(until - this.task.created_at));
    this.parts.elapsed.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  #showAbout() {
    const { task, run } = this;
    const facts = {
      Cost: this.#cost(),
      Model: task.model,
      Length: `${task.duration.toLocaleString("en", { maximumFractionDigits: 1 })} s`,
      Task: make("code", {}, task.task_id),
      Request: this.#request(run.requestId),
    };
    const rows = Object.entries(facts).filter(([, value]) => value);
    this.parts.about.replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }

  #cost() {
    const { estimate } = this.run;
    const estimated = estimate === undefined ? "" : `estimate ~${creditsText(estimate)}`;
    if (!this.isEnded) return estimated && `${estimated}, held until the end`;
    const charged = this.task.credits ? `${creditsText(this.task.credits)} charged` : "Not charged";
    return [charged, estimated].filter(Boolean).join(" · ");
  }

  #request(requestId) {
    if (!requestId) return null;
    const id = make("code", {}, requestId);
    if (!this.receipts || !this.isEnded) return id;
    return make("a", { class: "link", href: this.receipts.replace("ID", encodeURIComponent(requestId)) }, id);
  }

  #showClip(task) {
    const { video, download, player } = this.parts;
    video.autoplay = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    video.src = download.href = task.video_url;
    download.download = `${task.task_id}.mp4`;
    player.hidden = false;
  }

  async #replaceLink() {
    const task = this.linkIsFresh ? null : await this.refresh();
    this.linkIsFresh = true;
    if (task?.video_url) this.#showClip(task);
    else this.#fail("clip_unavailable", "The clip cannot be played: its file is gone, or this browser cannot show it.");
  }

  #showFailure(task) {
    if (task.status === "cancelled") return;
    this.#fail(task.error?.code ?? "unknown", task.error?.message ?? "The reason is not known.");
  }

  #fail(code, message) {
    const { failure, failureCode, failureMessage } = this.parts;
    failureCode.textContent = code;
    failureMessage.textContent = message;
    failure.hidden = false;
  }
}
