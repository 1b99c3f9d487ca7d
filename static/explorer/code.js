/** The call in several languages, as the server writes it. The key is put in here, and the server never sees it. */

import { copyText } from "./dom.js";
import { loadWithKey, saveWithKey } from "./memory.js";

// What stands for the key in the server's code.
const PLACE = "YOUR_API_KEY";

export class CodePanel {
  /** `root` holds a panel for each language, `[data-language]`, the box `withKey` and its row. `key()` is the API key. */
  constructor(root, { key }) {
    this.key = key;
    this.texts = {};
    this.panels = [...root.querySelectorAll("[data-language]")];
    this.box = root.querySelector("[data-part=withKey]");
    this.row = root.querySelector("[data-part=withKeyRow]");
    this.box.checked = loadWithKey();
    this.box.addEventListener("change", () => {
      saveWithKey(this.box.checked);
      this.showKey();
    });
    for (const panel of this.panels) {
      const button = panel.querySelector("[data-part=copy]");
      button.addEventListener("click", () => copyText(button, this.#written(panel.dataset.language)));
    }
  }

  /** `code`: `[{language, text, html}]`. */
  show(code) {
    this.texts = Object.fromEntries(code.map(({ language, text }) => [language, text]));
    for (const { language, html } of code) {
      const panel = this.panels.find((one) => one.dataset.language === language);
      // The server has escaped all that was typed in.
      panel.querySelector("code").innerHTML = html;
    }
    this.places = this.panels.flatMap((panel) => textsWithPlace(panel.querySelector("code")));
    this.showKey();
  }

  /** Shows the key, of which nobody who looks over a shoulder should read much, where the code needs it. */
  showKey() {
    this.row.hidden = !this.key();
    const shown = this.#isWithKey ? masked(this.key()) : PLACE;
    for (const { node, text } of this.places ?? []) node.data = text.replaceAll(PLACE, shown);
  }

  get #isWithKey() {
    return this.box.checked && Boolean(this.key());
  }

  #written(language) {
    const text = this.texts[language] ?? "";
    return this.#isWithKey ? text.replaceAll(PLACE, () => this.key()) : text;
  }
}

function textsWithPlace(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    if (walker.currentNode.data.includes(PLACE)) found.push({ node: walker.currentNode, text: walker.currentNode.data });
  }
  return found;
}

function masked(key) {
  return key.length > 16 ? `${key.slice(0, 8)}…${key.slice(-4)}` : "…";
}
