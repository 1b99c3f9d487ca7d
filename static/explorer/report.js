/** How a call went: its state, time, cost and id above its result, or the reason why there is none. */

import { copyText, creditsText } from "./dom.js";
import { estimateText } from "./cost.js";
import { hideProblem, showProblem } from "./problem.js";

export class Report {
  /** `parts` of the template's report, and `problem`. `receipts`: where a request's receipt is, with `ID` in its place. */
  constructor(parts, { receipts }) {
    this.parts = parts;
    this.receipts = receipts;
    this.runs = new Map();
    parts.copyId.addEventListener("click", () => copyText(parts.copyId, parts.requestId.textContent));
  }

  /** A call of `type` has been begun; `label` says what is being done. */
  begin(type, { label, estimate }) {
    const run = { state: "running", label, estimate, begun: Date.now() };
    this.#note(type, run);
    run.clock = setInterval(() => this.#showTime(type), 1000);
  }

  succeed(type, outcome) {
    this.#end(type, { state: "done", label: outcome.title ?? "Done", outcome });
  }

  stop(type, message) {
    this.#end(type, { state: "stopped", label: "Stopped", message });
  }

  /** `cost`, a sentence or nothing, says what it means for the credits. */
  fail(type, error, cost) {
    this.#end(type, { state: "failed", error, cost });
  }

  /** What the account has left, now that the last call of `type` was charged. */
  tellBalance(type, credits) {
    const run = this.runs.get(type);
    if (!run || run.state === "running" || credits === null) return;
    run.left = credits;
    this.#refresh(type);
  }

  forget(type) {
    clearInterval(this.runs.get(type)?.clock);
    this.runs.delete(type);
    this.#refresh(type);
  }

  /** Shows the last call of `type`. */
  show(type) {
    this.type = type;
    const run = this.runs.get(type);
    const { report, problem, state, cost, left, request, requestId, receipt, standIn, servedBy, note } = this.parts;
    hideProblem(problem);
    report.hidden = !run || run.state === "failed";
    if (!run) return;
    if (run.state === "failed") {
      showProblem(problem, run.error, run.cost, this.#receiptOf(run.error.requestId));
      return;
    }
    report.dataset.state = run.state;
    state.textContent = run.label;
    this.#showTime(type);
    const { outcome } = run;
    cost.textContent = costText(run);
    left.textContent = run.left === undefined ? "" : `${run.left.toLocaleString("en", { maximumFractionDigits: 3 })} left`;
    note.textContent = run.message ?? "";
    note.hidden = !run.message;
    standIn.hidden = !outcome?.standIn;
    servedBy.textContent = outcome?.servedBy ?? "another";
    // Its line is there from the beginning, so that nothing moves when the answer comes.
    request.dataset.waiting = String(!outcome?.requestId);
    request.hidden = run.state === "stopped";
    requestId.textContent = outcome?.requestId ?? "…";
    const address = this.#receiptOf(outcome?.requestId);
    receipt.hidden = !address;
    if (address) receipt.href = address;
  }

  #note(type, run) {
    clearInterval(this.runs.get(type)?.clock);
    this.runs.set(type, run);
    this.#refresh(type);
  }

  #refresh(type) {
    if (type === this.type) this.show(type);
  }

  #end(type, ending) {
    const run = this.runs.get(type) ?? {};
    clearInterval(run.clock);
    this.#note(type, { ...run, ...ending, seconds: (Date.now() - run.begun) / 1000 });
  }

  #showTime(type) {
    const run = this.runs.get(type);
    if (type !== this.type || !run?.begun) return;
    const seconds = run.seconds ?? (Date.now() - run.begun) / 1000;
    this.parts.time.textContent = run.state === "running" ? `${Math.floor(seconds)} s` : `${seconds.toFixed(1)} s`;
  }

  #receiptOf(requestId) {
    return this.receipts && requestId ? this.receipts.replace("ID", encodeURIComponent(requestId)) : "";
  }
}

function costText({ state, outcome, estimate }) {
  const before = estimate ? `estimate ${estimateText(estimate)}` : "";
  if (state !== "done") return before;
  const { credits } = outcome;
  const charged = credits === null ? "" : credits ? `${creditsText(credits)} charged` : "Not charged";
  return [charged, before].filter(Boolean).join(" · ");
}
