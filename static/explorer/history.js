/** The calls made in this browser, the newest first: what was asked for, what it cost, and a way back to it. */

import { creditsText, make } from "./dom.js";
import { loadHistory, saveHistory } from "./memory.js";

const MOST = 50;
const LONGEST_SUMMARY = 200;

export class History {
  /** `parts`: `history`, its list `entries`, the button `clear`. `onOpen(entry)` is called for one that was clicked. */
  constructor(parts, { onOpen }) {
    this.parts = parts;
    this.onOpen = onOpen;
    this.entries = loadHistory();
    parts.clear.addEventListener("click", () => {
      this.#keep([]);
      parts.title.focus();
    });
    this.#show();
  }

  /** Adds `{type, model, values, summary, credits, requestId, taskId, picture}`. */
  add(entry) {
    const summary = entry.summary?.slice(0, LONGEST_SUMMARY);
    this.#keep([{ ...entry, summary, at: Date.now() }, ...this.entries].slice(0, MOST));
  }

  /** Tells what the video of `taskId` cost in the end. */
  tellCost(taskId, credits) {
    this.#keep(this.entries.map((entry) => (entry.taskId === taskId ? { ...entry, credits } : entry)));
  }

  #keep(entries) {
    this.entries = entries;
    saveHistory(entries);
    this.#show();
  }

  #show() {
    this.parts.history.hidden = !this.entries.length;
    this.parts.entries.replaceChildren(...this.entries.map((entry) => this.#row(entry)));
  }

  #row(entry) {
    const at = new Date(entry.at);
    const button = make(
      "button",
      { type: "button", class: "entry" },
      thumbnail(entry),
      make(
        "span",
        { class: "about" },
        make("span", { class: "summary" }, entry.summary || entry.model),
        make("span", { class: "model" }, [entry.model, costText(entry.credits)].filter(Boolean).join(" · ")),
      ),
      make("time", { datetime: at.toISOString() }, timeText(at)),
    );
    button.addEventListener("click", () => this.onOpen(entry));
    return make("li", {}, button);
  }
}

/** Nothing where it is not known yet. */
function costText(credits) {
  if (typeof credits !== "number") return "";
  return credits ? creditsText(credits) : "not charged";
}

function thumbnail(entry) {
  const icon = document.querySelector(`template[data-icon="${entry.type}"]`)?.content.cloneNode(true);
  const frame = make("span", { class: "thumbnail" }, icon);
  if (entry.picture) {
    const picture = make("img", { alt: "", width: 40, height: 40 });
    // A link that has expired leaves the icon.
    picture.addEventListener("load", () => frame.replaceChildren(picture));
    picture.src = entry.picture;
  }
  return frame;
}

function timeText(at) {
  const isToday = at.toDateString() === new Date().toDateString();
  const form = isToday ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" };
  return at.toLocaleString("en-GB", form);
}
