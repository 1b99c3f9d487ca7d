/** What a call would cost, and its code: asked of the server, which prices it by the rules that charge it. */

const ADDRESS = "/explorer/call/";
// Milliseconds without a change, before the server is asked.
const PAUSE = 150;
/** Stands for pictures: what they cost does not depend on what they show. */
export const TINY_PNG =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** `body` without what need not travel to be priced: files are left out, pictures in base64 become a tiny one. */
export function describable(body) {
  const kept = Object.entries(body).filter(([, value]) => !(value instanceof Blob));
  return Object.fromEntries(kept.map(([name, value]) => [name, small(value)]));
}

function small(value) {
  if (typeof value === "string") return value.startsWith("data:") ? TINY_PNG : value;
  if (Array.isArray(value)) return value.map(small);
  return value && typeof value === "object" ? describable(value) : value;
}

/** Asks about one call after another: what was asked before the last is dropped. */
export class Quote {
  /** `onAnswer(answer)` gets what `POST /explorer/call/` answers, or null where there is no answer. */
  constructor({ onAnswer }) {
    this.onAnswer = onAnswer;
    this.asked = new AbortController();
  }

  ask(model, fields, { atOnce = false } = {}) {
    this.drop();
    const asked = (this.asked = new AbortController());
    this.timer = setTimeout(() => this.#send({ model, fields }, asked.signal), atOnce ? 0 : PAUSE);
  }

  drop() {
    clearTimeout(this.timer);
    this.asked.abort();
  }

  async #send(call, signal) {
    let answer = null;
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch(ADDRESS, { method: "POST", headers, signal, body: JSON.stringify(call) });
      answer = await response.json();
    } catch (error) {
      if (error.name === "AbortError") return;
    }
    if (!signal.aborted) this.onAnswer(answer);
  }
}
