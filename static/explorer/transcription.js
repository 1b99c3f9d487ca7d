/** Transcriptions: a recording becomes text, whose times lead to the places where it is said. */

import { call, open, told } from "./api.js";
import { partsOf } from "./dom.js";
import { describable } from "./quote.js";
import { Microphone } from "./microphone.js";
import { Recording } from "./recording.js";
import { cutOff, readAnswers } from "./sse.js";
import { Transcript } from "./transcript.js";

const STREAMED = "json";

export class TranscriptionView {
  busyLabel = "Transcribing…";

  constructor(root, page) {
    this.page = page;
    this.parts = partsOf(root);
    this.recording = new Recording(this.parts, { onLength: () => page.changed() });
    this.transcript = new Transcript(this.parts, { onSeek: (seconds) => this.recording.seek(seconds) });
    this.recording.onTime = (seconds) => this.transcript.mark(seconds);
    new Microphone(this.parts, { onRecorded: (file) => page.write({ file }) });
  }

  schema({ parameters: { properties, required } }) {
    // It is streamed wherever it can be; the fixed ones are of no form.
    const { model, stream, ...fields } = properties;
    return { properties: fields, required, usual: ["file", "language", "response_format"] };
  }

  compose(values) {
    this.recording.take(values.file);
    const { stream } = this.page.model().parameters.properties;
    const { response_format: format = STREAMED } = values;
    return stream && format === STREAMED ? { ...values, stream: true } : values;
  }

  describe(body) {
    const { seconds } = this.recording;
    return { ...describable(body), ...(seconds ? { seconds } : {}) };
  }

  async run(body, { signal }) {
    const { page, transcript } = this;
    const options = { key: page.key(), body: formOf({ model: page.model().id, ...body }), signal };
    transcript.clear();
    const outcome = body.stream ? await this.#stream(options) : await this.#ask(options, body.response_format);
    return { ...outcome, title: "Transcript complete", summary: `${body.file.name}: ${transcript.text}` };
  }

  clear() {
    this.transcript.clear();
  }

  async #ask(options, format) {
    const { body: answer, ...outcome } = await call("POST", "/audio/transcriptions", options);
    this.page.answered(answer);
    this.transcript.show(answer, format);
    return outcome;
  }

  async #stream(options) {
    const { transcript } = this;
    const response = await open("POST", "/audio/transcriptions", options);
    const outcome = told(response);
    try {
      for await (const event of readAnswers(response)) {
        if (event.type === "transcript.text.delta") transcript.add(event.delta);
        if (event.type !== "transcript.text.done") continue;
        this.page.answered(event);
        transcript.show(event);
        return { ...outcome, credits: event.usage.credits ?? null };
      }
      throw cutOff(outcome.requestId);
    } catch (error) {
      transcript.breakOff();
      throw error;
    }
  }
}

/** A form as the API reads it: a list is its name with brackets, as often as it has members. */
function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (Array.isArray(value)) for (const one of value) form.append(`${name}[]`, one);
    else form.append(name, value);
  }
  return form;
}
