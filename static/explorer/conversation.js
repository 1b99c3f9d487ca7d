/** A conversation as it is shown: each turn a message and its answer, which grows while it comes. */

import { copyButton } from "./copy-button.js";
import { creditsText, make, makeButton } from "./dom.js";
import { Markdown } from "./markdown.js";

// Pixels from its end within which the conversation moves on with an answer.
const AT_END = 48;

export class Conversation {
  /** `list` takes the turns, `scroller` is what shows a part of them. */
  constructor(list, scroller) {
    this.list = list;
    this.scroller = scroller;
  }

  get isEmpty() {
    return !this.list.hasChildNodes();
  }

  clear() {
    this.list.replaceChildren();
    this.scroller.hidden = true;
  }

  /** Shows a message, a text or a list of the API's parts, and waits for its answer. `isJson`: that is no Markdown. */
  begin(content, { model, isJson }) {
    this.scroller.hidden = false;
    const turn = new Turn(this, { model, isJson });
    this.list.append(showMessage(content), turn.element);
    this.scroller.scrollTop = this.scroller.scrollHeight;
    return turn;
  }

  /** Makes a change, and stays at the end if its reader is there. */
  change(make) {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    make();
    if (scrollHeight - scrollTop - clientHeight < AT_END) this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

/** An answer. `told` is what its headers told, `usage` null until the end tells it. */
class Turn {
  told = {};
  text = "";
  usage = null;

  constructor(conversation, { model, isJson }) {
    this.conversation = conversation;
    this.begunAt = performance.now();
    this.waiting = make("p", { class: "waiting" }, "Waiting for the first token…");
    this.answer = make("div", { class: "answer prose" }, this.waiting);
    this.writer = isJson ? new Plain(this.answer) : new Markdown(this.answer);
    this.name = make("h3", {}, "Assistant", make("span", { class: "model" }, model));
    this.element = make("li", { class: "turn", "data-role": "assistant" }, this.name, this.answer);
  }

  /** Takes a chunk of the stream. */
  add(chunk) {
    if (chunk.usage) this.usage = chunk.usage;
    const { id, created, model } = chunk;
    this.about = { id, created, model };
    const [choice] = chunk.choices ?? [];
    if (!choice) return;
    const { content, reasoning_content: reasoning, refusal } = choice.delta ?? {};
    this.finish = choice.finish_reason ?? this.finish;
    if (reasoning || content || refusal) this.#began();
    this.conversation.change(() => {
      if (reasoning) this.#think(reasoning);
      if (content || refusal) this.#write(content || refusal);
    });
  }

  /**
   * Nothing more comes; `note`, a list of texts and elements, says why, where that is not plain. `onAgain()`, if there is
   * one, is called by a button to ask again, which the last turn shows.
   */
  end({ note = this.finish === "length" ? ["Cut off at the longest answer."] : null, onAgain = null }) {
    this.conversation.change(() => {
      this.waiting.remove();
      this.writer.end();
      if (!this.text) this.answer.append(make("p", { class: "note" }, "The answer is empty."));
      if (note) this.element.append(make("p", { class: "note" }, ...note));
      const facts = this.#facts().map((fact) => make("li", {}, fact));
      const copy = copyButton("the answer", () => this.text);
      const buttons = make("div", {}, onAgain && againButton(onAgain), copy);
      this.element.append(make("div", { class: "turn-end" }, make("ul", { class: "turn-facts" }, ...facts), buttons));
    });
  }

  /** The pieces put together, as the API answers without a stream. */
  get answered() {
    const reasoning = this.thoughts && { reasoning_content: this.thoughts.textContent };
    const message = { role: "assistant", ...reasoning, content: this.text };
    const choices = [{ index: 0, message, finish_reason: this.finish ?? null }];
    return { ...this.about, object: "chat.completion", choices, usage: this.usage };
  }

  /** Takes the message and what there is of its answer away. */
  remove() {
    this.element.previousSibling.remove();
    this.element.remove();
    this.conversation.scroller.hidden = this.conversation.isEmpty;
  }

  #began() {
    if (this.waited !== undefined) return;
    this.waited = performance.now() - this.begunAt;
    this.waiting.remove();
  }

  #think(text) {
    if (!this.thoughts) {
      this.thoughts = make("div");
      const summary = make("summary", { class: "unfold" }, "Reasoning");
      this.answer.before(make("details", { class: "reasoning", open: true }, summary, this.thoughts));
    }
    this.thoughts.append(text);
  }

  #write(text) {
    // What was thought gives way to what is said.
    if (!this.text && this.thoughts) this.thoughts.parentElement.open = false;
    this.text += text;
    this.writer.write(text);
  }

  #facts() {
    const { usage, waited } = this;
    const facts = [];
    if (usage) facts.push(`${count(usage.prompt_tokens)} in`, `${count(usage.completion_tokens)} out`);
    if (usage?.credits !== undefined) facts.push(creditsText(usage.credits));
    if (waited !== undefined) facts.push(`first token after ${(waited / 1000).toFixed(2)} s`);
    return facts;
  }
}

/** Shows JSON as it is. */
class Plain {
  constructor(root) {
    this.root = root;
  }

  write(text) {
    if (!this.code) {
      this.code = make("code");
      const look = { class: "code", tabindex: 0, role: "group", "aria-label": "The answer in JSON" };
      this.root.append(make("pre", look, this.code));
    }
    this.code.append(text);
  }

  end() {}
}

/** The text of a message's content. */
export function textOf(content) {
  return typeof content === "string" ? content : content.find(({ type }) => type === "text").text;
}

/** The addresses of its pictures. */
export function picturesOf(content) {
  if (typeof content === "string") return [];
  return content.filter(({ type }) => type === "image_url").map(({ image_url: { url } }) => url);
}

function showMessage(content) {
  const pictures = picturesOf(content);
  const shown = pictures.map((url, at) => make("li", {}, showPicture(url, at)));
  return make(
    "li",
    { class: "turn", "data-role": "user" },
    make("h3", {}, "You"),
    make("p", { class: "message" }, textOf(content)),
    pictures.length ? make("ul", { class: "sent-pictures" }, ...shown) : null,
  );
}

/** Pictures of this device are shown, those of other hosts are named: nothing is asked of them from here. */
function showPicture(url, at) {
  if (url.startsWith("data:")) return make("img", { src: url, alt: `Picture ${at + 1} of the message` });
  return make("span", { class: "address" }, url);
}

function againButton(onAgain) {
  const button = makeButton("Edit and ask again", { class: "btn again", "data-variant": "ghost" });
  button.addEventListener("click", onAgain);
  return button;
}

function count(tokens) {
  return `${tokens.toLocaleString("en")} ${tokens === 1 ? "token" : "tokens"}`;
}
