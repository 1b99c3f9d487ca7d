/** The field of the API key: kept in this browser until it is forgotten, and checked as soon as it is there. */

import { call } from "./api.js";
import { creditsText } from "./dom.js";
import { goTo, mark } from "./form.js";
import { forgetKey, loadKey, saveKey } from "./memory.js";

export class KeyField {
  /** `parts`: the input `key`, the button `forget`, and `balance`. `onChange()` is called when another key was given. */
  constructor(parts, { onChange }) {
    this.parts = parts;
    parts.key.value = loadKey();
    parts.key.addEventListener("change", () => {
      if (this.value) saveKey(this.value);
      else forgetKey();
      this.check();
      onChange();
    });
    parts.forget.addEventListener("click", () => {
      parts.key.value = "";
      forgetKey();
      this.check();
      onChange();
      goTo(parts.key);
    });
    this.check();
  }

  get value() {
    return this.parts.key.value.trim();
  }

  /** Says what is wrong with the key, and goes to it. */
  refuse(message) {
    mark(this.parts.key, message);
    goTo(this.parts.key);
  }

  /** Shows what the key's owner has left, or that the key is none. Resolves to those credits, or null. */
  async check() {
    const { key, forget, balance } = this.parts;
    const { value } = this;
    forget.hidden = !value;
    mark(key, "");
    if (!value) {
      balance.textContent = "";
      return null;
    }
    try {
      const { available } = (await call("GET", "/account", { key: value })).body.credits;
      if (this.value !== value) return null;
      balance.textContent = `${creditsText(available)} available`;
      return available;
    } catch (error) {
      if (this.value !== value) return null;
      balance.textContent = error.status === 401 ? "" : "The balance is not to be had at the moment.";
      if (error.status === 401) mark(key, error.message);
      return null;
    }
  }
}
