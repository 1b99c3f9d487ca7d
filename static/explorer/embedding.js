/** Embeddings: texts become vectors, which are drawn and compared. */

import { call } from "./api.js";
import { copyButton } from "./copy-button.js";
import { make, partsOf } from "./dom.js";
import { describable } from "./quote.js";
import { drawVector } from "./vector.js";

const LONGEST_TEXTS = 100_000;
const FIRST_VALUES = 6;
// More would be rows and columns that nobody reads; all vectors can be copied.
const MOST_SHOWN = 12;

export class EmbeddingView {
  busyLabel = "Embedding…";

  constructor(root, page) {
    this.page = page;
    this.parts = partsOf(root);
    this.vectors = [];
    const all = () => JSON.stringify(this.vectors);
    this.parts.embeddingHead.append(copyButton("vectors as JSON", all, "Copy all"));
  }

  schema({ parameters: { properties } }) {
    const most = properties.input.anyOf.find(({ type }) => type === "array").maxItems;
    const input = {
      title: "Texts",
      description: `One a line, ${most.toLocaleString("en")} at most. Several are compared with each other.`,
      type: "string",
      minLength: 1,
      maxLength: LONGEST_TEXTS,
      examples: ["A lighthouse at dawn\nThe beacon on the cliff before sunrise\nHow to bake rye bread"],
    };
    const { dimensions } = properties;
    return { properties: dimensions ? { input, dimensions } : { input }, required: ["input"] };
  }

  compose({ input, ...rest }) {
    const texts = textsIn(input ?? "");
    if (!texts.length) return rest;
    return { input: texts.length === 1 ? texts[0] : texts, ...rest };
  }

  describe(body) {
    return describable(body);
  }

  async run(body, { signal }) {
    const { page } = this;
    const request = { model: page.model().id, ...body };
    this.clear();
    const { body: answer, ...outcome } = await call("POST", "/embeddings", { key: page.key(), body: request, signal });
    const texts = [body.input].flat();
    page.answered(answer);
    this.#show(texts, answer);
    return { ...outcome, title: count(texts.length, "vector"), summary: texts.join(" · ") };
  }

  clear() {
    this.parts.embeddingResult.hidden = true;
    this.parts.embeddingEmpty.hidden = false;
  }

  #show(texts, { data, usage }) {
    const { parts } = this;
    this.vectors = data.toSorted((one, other) => one.index - other.index).map(({ embedding }) => embedding);
    const facts = [
      count(texts.length, "vector"),
      count(this.vectors[0].length, "dimension"),
      count(usage.total_tokens, "token"),
    ];
    parts.embeddingFacts.replaceChildren(...facts.map((fact) => make("li", {}, fact)));
    const shown = this.vectors.slice(0, MOST_SHOWN);
    parts.embeddingVectors.replaceChildren(...shown.map((vector, at) => showVector(vector, texts[at], at + 1)));
    parts.embeddingRest.hidden = texts.length <= MOST_SHOWN;
    parts.embeddingRest.textContent = `The first ${MOST_SHOWN} are shown; the copy has all ${texts.length}.`;
    parts.embeddingMatrix.hidden = texts.length === 1;
    parts.embeddingTable.replaceChildren(...similarityRows(shown, texts));
    parts.embeddingEmpty.hidden = true;
    parts.embeddingResult.hidden = false;
  }
}

function textsIn(lines) {
  return lines.split("\n").filter((line) => line.trim());
}

function showVector(vector, text, number) {
  const first = vector.slice(0, FIRST_VALUES).map((value) => value.toFixed(4));
  const head = make("div", { class: "vector-head" }, make("p", {}, make("b", {}, `${number}`), ` ${text}`));
  head.append(copyButton(`of vector ${number}`, () => JSON.stringify(vector), "Copy JSON"));
  const values = [...first, ...(vector.length > FIRST_VALUES ? ["…"] : [])].join(", ");
  return make("li", { class: "vector" }, head, drawVector(vector), make("code", { class: "values" }, `[${values}]`));
}

/** A table of each with each, whose cells are darker the closer two texts are. */
function similarityRows(vectors, texts) {
  const numbers = vectors.map((_, at) => make("th", { scope: "col" }, `${at + 1}`));
  const head = make("thead", {}, make("tr", {}, make("td"), ...numbers));
  const rows = vectors.map((one, at) => {
    const cells = vectors.map((other) => showSimilarity(cosine(one, other)));
    const label = make("th", { scope: "row" }, make("b", {}, `${at + 1}`), make("span", {}, ` ${texts[at]}`));
    return make("tr", {}, label, ...cells);
  });
  return [head, make("tbody", {}, ...rows)];
}

function showSimilarity(similarity) {
  const cell = make("td", {}, similarity.toFixed(2));
  cell.style.setProperty("--closeness", `${Math.round(Math.max(0, similarity) * 100)}%`);
  return cell;
}

function cosine(one, other) {
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other) || 1);
}

function dot(one, other) {
  return one.reduce((sum, value, at) => sum + value * other[at], 0);
}

function count(number, of) {
  return `${number.toLocaleString("en")} ${of}${number === 1 ? "" : "s"}`;
}
