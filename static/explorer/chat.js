/** Chats: a conversation that goes on with each message, its answers shown while they are written. */

import { open, told } from "./api.js";
import { Conversation, picturesOf, textOf } from "./conversation.js";
import { make, partsOf } from "./dom.js";
import { describable } from "./quote.js";
import { cutOff, readAnswers } from "./sse.js";

const LONGEST_MESSAGE = 32_000;
const MOST_PICTURES = 4;
const EXAMPLE = "Why is the sky blue? Answer in three sentences.";
// What the form asks for as the API has it; the messages have fields of their own.
const TAKEN = ["max_completion_tokens", "temperature", "top_p", "seed", "frequency_penalty", "presence_penalty"];
const PICTURE = { type: "string", contentMediaType: "image/*" };
const PICTURES = {
  title: "Pictures",
  description: "Sent with the message.",
  anyOf: [PICTURE, { type: "array", items: PICTURE, maxItems: MOST_PICTURES }],
};

export class ChatView {
  busyLabel = "Answering…";

  constructor(root, page) {
    this.page = page;
    this.parts = partsOf(root);
    this.receipts = root.dataset.receipts;
    this.conversation = new Conversation(this.parts.chatTurns, this.parts.chatScroller);
    // What was said, in the API's words: each call sends all of it.
    this.said = [];
    this.message = "";
    this.lastSent = null;
    this.parts.chatNew.addEventListener("click", () => {
      this.clear();
      page.fill({ message: this.message });
    });
  }

  schema({ parameters: { properties } }) {
    const fields = {
      message: {
        title: "Message",
        type: "string",
        minLength: 1,
        maxLength: LONGEST_MESSAGE,
        // To begin with; a conversation goes on with what its visitor has to say.
        examples: this.said.length ? [] : [EXAMPLE],
      },
    };
    if (takesPictures(properties.messages)) fields.image = PICTURES;
    fields.system = {
      title: "System message",
      description: "How the model is to behave, for the whole conversation.",
      type: "string",
      maxLength: LONGEST_MESSAGE,
    };
    for (const name of TAKEN) if (properties[name]) fields[name] = properties[name];
    if (properties.stop) fields.stop = severalTexts(properties.stop);
    if (properties.response_format) fields.response_format = formats(properties.response_format);
    return { properties: fields, required: ["message"], usual: ["message", "image", "system"] };
  }

  compose({ message, image, system, response_format: format, ...rest }) {
    this.message = message ?? "";
    const messages = [...this.said];
    if (system) messages.unshift({ role: "system", content: system });
    if (message) messages.push({ role: "user", content: contentOf(message, image) });
    // Without a message, the page shows the code of the last call; before that, of an example.
    const sent = message ? messages : this.lastSent;
    return {
      ...(sent ? { messages: sent } : {}),
      ...rest,
      ...(format ? { response_format: { type: format } } : {}),
      stream: true,
      stream_options: { include_usage: true },
    };
  }

  describe(body) {
    return describable(body);
  }

  async run(body, { signal }) {
    const { page, parts } = this;
    this.lastSent = body.messages;
    const asked = body.messages.at(-1);
    const model = page.model().id;
    parts.chatNewRow.hidden = parts.chatEmpty.hidden = true;
    const isJson = body.response_format?.type === "json_object";
    const turn = this.conversation.begin(asked.content, { model, isJson });
    try {
      const response = await open("POST", "/chat/completions", { key: page.key(), body: { model, ...body }, signal });
      turn.told = told(response);
      for await (const chunk of readAnswers(response)) turn.add(chunk);
      if (!turn.usage) throw cutOff(turn.told.requestId);
      this.#keep(asked, turn);
    } catch (error) {
      this.#breakOff(asked, turn, error);
      throw error;
    } finally {
      this.#showWhetherEmpty();
    }
    page.answered(turn.answered);
    const credits = turn.usage.credits ?? null;
    return { ...turn.told, credits, title: "Answer complete", summary: textOf(asked.content) };
  }

  /** A new conversation. */
  clear() {
    this.said = [];
    this.lastSent = null;
    this.conversation.clear();
    this.#showWhetherEmpty();
  }

  /** Makes the answer a part of the conversation; `note` as for `Turn.end`. */
  #keep(asked, turn, note) {
    this.said.push(asked, { role: "assistant", content: turn.text });
    turn.end({ note, onAgain: () => this.#takeBack(asked, turn) });
    this.page.write({ message: "", image: [] });
  }

  /** Takes the last message and its answer back into the form. */
  #takeBack(asked, turn) {
    this.said.splice(-2);
    turn.remove();
    this.#showWhetherEmpty();
    this.page.fill({ message: textOf(asked.content), image: picturesOf(asked.content) });
  }

  #showWhetherEmpty() {
    const { isEmpty } = this.conversation;
    this.parts.chatNewRow.hidden = isEmpty;
    this.parts.chatEmpty.hidden = !isEmpty;
  }

  /** What had come of an answer stays. Where its reader stopped it, the conversation goes on from there. */
  #breakOff(asked, turn, error) {
    if (error.param?.startsWith("messages")) error.param = error.param.includes("image_url") ? "image" : "message";
    if (!turn.text) {
      turn.remove();
    } else if (error.name === "AbortError") {
      this.#keep(asked, turn, ["You stopped this answer here. ", this.#receiptOf(turn.told.requestId)]);
    } else {
      turn.end({ note: ["The answer broke off here. It is not sent along with the next message."] });
    }
  }

  /** A link to what the request was charged, for those who are signed in. */
  #receiptOf(requestId) {
    if (!this.receipts) return "";
    const href = this.receipts.replace("ID", encodeURIComponent(requestId));
    return make("a", { class: "link", href }, "What was charged");
  }
}

/** Whether messages of the model may hold pictures. */
function takesPictures(messages) {
  const { items: part } = messages.items.properties.content.anyOf.find(({ type }) => type === "array");
  return part.properties.type.examples.includes("image_url");
}

function severalTexts({ title, description }) {
  return { title, description, type: "array", items: { type: "string" } };
}

function formats({ title, properties }) {
  const names = properties.type.enum.filter((name) => name !== "json_schema");
  return { title, description: "JSON has to be asked for in the message, too.", type: "string", enum: names };
}

function contentOf(message, image) {
  const pictures = [image ?? []].flat();
  if (!pictures.length) return message;
  return [{ type: "text", text: message }, ...pictures.map((url) => ({ type: "image_url", image_url: { url } }))];
}
