/** What is filled in for each type of model, so that another model of the type may take it, and a reload loses little. */

import { keepable, loadDraft, saveDraft } from "./memory.js";

export class Drafts {
  constructor() {
    this.values = {};
    /** `{type, model}` of the last one before a reload, or null. */
    this.last = loadDraft();
    if (this.last) this.values[this.last.type] = this.last.values;
  }

  /** The values for a form of `type`. */
  of(type) {
    return this.values[type] ?? {};
  }

  put(type, values) {
    this.values[type] = values;
  }

  /** Takes what `form` is filled with; what it has no field for stays. */
  take(type, form) {
    const others = Object.entries(this.of(type)).filter(([name]) => !form.has(name));
    this.put(type, { ...Object.fromEntries(others), ...form.read() });
  }

  /** Keeps `values` for a reload. */
  save(type, model, values) {
    saveDraft({ type, model, values: keepable(values) });
  }
}
