/** A transcript as it is shown: its text, and the times of what it says. */

import { copyButton } from "./copy-button.js";
import { make, makeLink } from "./dom.js";

// Formats whose lines mean something, with their types.
const FILES = { srt: "application/x-subrip", vtt: "text/vtt" };

export class Transcript {
  text = "";

  /** `parts` of the template. `onSeek(seconds)` is called for a time that was clicked. */
  constructor(parts, { onSeek }) {
    this.parts = parts;
    this.onSeek = onSeek;
    this.timed = [];
  }

  /** Nothing has come yet. */
  clear() {
    this.text = "";
    this.timed = [];
    URL.revokeObjectURL(this.address);
    this.parts.transcript.hidden = true;
    this.parts.transcript.replaceChildren();
    this.parts.transcriptionEmpty.hidden = false;
  }

  /** A piece of the text. */
  add(piece) {
    if (!this.text) this.#show((this.shown = make("p", { class: "transcript-text" })));
    this.text += piece;
    this.shown.append(piece);
  }

  /** The whole: an object of the API's, or a text in `format`. */
  show(answer, format = "json") {
    this.text = typeof answer === "string" ? answer.trim() : answer.text;
    if (format in FILES) {
      this.#show(showFile(this.text), this.#download(format));
      return;
    }
    const text = make("p", { class: "transcript-text" }, this.text || "Nothing is said in it.");
    const segments = this.#times("Segments", answer.segments, "text");
    this.#show(text, segments, this.#times("Words", answer.words, "word"));
  }

  /** No more of it comes; what there is stays. */
  breakOff() {
    if (this.text) this.parts.transcript.append(make("p", { class: "note" }, "It broke off here."));
  }

  /** Marks what is said at this time. */
  mark(seconds) {
    for (const { start, end, element } of this.timed) {
      if (start <= seconds && seconds < end) element.setAttribute("aria-current", "true");
      else element.removeAttribute("aria-current");
    }
  }

  #show(...elements) {
    const copy = copyButton("the transcript", () => this.text);
    const head = make("div", { class: "transcript-head" }, make("h3", {}, "Transcript"), copy);
    this.parts.transcript.replaceChildren(head, ...elements.filter(Boolean));
    this.parts.transcript.hidden = false;
    this.parts.transcriptionEmpty.hidden = true;
  }

  /** `pieces` with their times, or null where the answer has none. */
  #times(title, pieces, field) {
    if (!pieces?.length) return null;
    const rows = pieces.map(({ start, end, [field]: text }) => {
      const button = make("button", { type: "button", class: "time" }, timeText(start));
      button.addEventListener("click", () => this.onSeek(start));
      const element = make("li", {}, button, make("span", {}, text.trim()));
      this.timed.push({ start, end, element });
      return element;
    });
    const list = make("ol", { class: "times" }, ...rows);
    const summary = make("summary", { class: "unfold" }, `${title} with times (${pieces.length})`);
    return make("details", { open: field === "text" }, summary, list);
  }

  #download(format) {
    this.address = URL.createObjectURL(new Blob([this.text, "\n"], { type: FILES[format] }));
    const file = { href: this.address, download: `transcript.${format}` };
    return make("p", {}, makeLink(`Download the .${format} file`, file));
  }
}

function showFile(text) {
  return make("pre", { class: "code", tabindex: 0, role: "group", "aria-label": "The file" }, make("code", {}, text));
}

/** `1:05.3` */
function timeText(seconds) {
  const tenths = Math.round(seconds * 10);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return `${Math.floor(tenths / 600)}:${rest}`;
}
