/**
 * Markdown of a model, shown while it comes. Nobody knows what a model writes, or who had it written: elements are made
 * one by one, never of HTML, and nothing is loaded. A link leads to the web or to a mailbox; what would lead anywhere
 * else, and pictures, stand there as they were written.
 */

import * as smd from "../vendor/streaming-markdown/smd.min.js";

import { copyButton } from "./copy-button.js";
import { make } from "./dom.js";

const ELEMENTS = {
  [smd.PARAGRAPH]: "p",
  [smd.LINE_BREAK]: "br",
  [smd.RULE]: "hr",
  [smd.BLOCKQUOTE]: "blockquote",
  [smd.ITALIC_AST]: "em",
  [smd.ITALIC_UND]: "em",
  [smd.STRONG_AST]: "strong",
  [smd.STRONG_UND]: "strong",
  [smd.STRIKE]: "s",
  [smd.CODE_INLINE]: "code",
  [smd.EQUATION_INLINE]: "code",
  [smd.LIST_UNORDERED]: "ul",
  [smd.LIST_ORDERED]: "ol",
  [smd.LIST_ITEM]: "li",
};
const HEADINGS = [smd.HEADING_1, smd.HEADING_2, smd.HEADING_3, smd.HEADING_4, smd.HEADING_5, smd.HEADING_6];
const BLOCKS_OF_CODE = [smd.CODE_BLOCK, smd.CODE_FENCE, smd.EQUATION_BLOCK];
const UNDERSCORES = { [smd.ITALIC_UND]: "_", [smd.STRONG_UND]: "__" };
// How what leads elsewhere begins.
const OPENINGS = { [smd.LINK]: "[", [smd.IMAGE]: "![" };
const SAFE = ["http:", "https:", "mailto:"];
// The parser would take what follows a price, or a variable of a shell, for a formula: it gets to see a character that
// means nothing.
const DOLLAR = "\uE000";
const LONGEST_LANGUAGE = 24;
// Addresses may be whole files.
const SHOWN_OF_ADDRESS = 200;

/** Shows what it is told below `root`. */
export class Markdown {
  constructor(root) {
    // From the outermost to what is being written: `{token, element}`, and what the kinds need besides.
    this.open = [{ element: root }];
    this.lastLetter = "";
    this.parser = smd.parser({
      data: null,
      add_token: (_, token) => this.#begin(token),
      end_token: () => this.#end(),
      add_text: (_, text) => this.#write(text.replaceAll(DOLLAR, "$")),
      set_attr: (_, name, value) => this.#set(name, value.replaceAll(DOLLAR, "$")),
    });
  }

  /** More of the text, cut anywhere. */
  write(text) {
    smd.parser_write(this.parser, text.replaceAll("$", DOLLAR));
  }

  /** Nothing more comes: what waits for a closing mark is shown without. */
  end() {
    // The parser would keep the beginning of an address to itself.
    if (this.parser.pending.startsWith("](")) {
      this.#write(this.parser.pending.replaceAll(DOLLAR, "$"));
      this.parser.pending = "";
    }
    smd.parser_end(this.parser);
  }

  get #current() {
    return this.open.at(-1);
  }

  #begin(token) {
    const parent = this.#current.element;
    const node = { token, element: parent };
    if (token in UNDERSCORES && /[\p{L}\p{N}]/u.test(this.lastLetter)) {
      // In the middle of a word, as of `snake_case`, they are letters.
      node.letters = UNDERSCORES[token];
      this.#write(node.letters);
    } else if (token in OPENINGS || token === smd.RAW_URL) {
      node.opening = OPENINGS[token] ?? "";
      node.element = append(parent, make("a", {}, node.opening));
    } else if (HEADINGS.includes(token)) {
      // Below the headings of the page, whose outline is not the model's.
      node.element = append(parent, make("h4", { "data-level": HEADINGS.indexOf(token) + 1 }));
    } else if (BLOCKS_OF_CODE.includes(token)) {
      Object.assign(node, blockOfCode());
      parent.append(node.block);
    } else if (token === smd.TABLE) {
      node.element = make("table");
      const frame = { class: "scroller", tabindex: 0, role: "region", "aria-label": "Table" };
      parent.append(make("div", frame, node.element));
    } else if (token === smd.TABLE_ROW) {
      const part = parent.tHead ? (parent.tBodies[0] ?? parent.createTBody()) : parent.createTHead();
      node.element = part.insertRow();
    } else if (token === smd.TABLE_CELL) {
      const isHead = parent.closest("thead");
      node.element = append(parent, isHead ? make("th", { scope: "col" }) : make("td"));
    } else if (token === smd.CHECKBOX) {
      node.element = append(parent, make("span", {}, "☐"));
    } else {
      node.element = append(parent, make(ELEMENTS[token]));
    }
    this.open.push(node);
  }

  #end() {
    const node = this.open.pop();
    const { token, opening, letters, address } = node;
    // What closes it is the next that the parser is going to see; at a paragraph's end there is nothing.
    const [next] = this.parser.pending;
    if (letters && next === "_") this.#write(letters);
    if (opening && !address && next === "]") this.#write("]");
    if (token === smd.RAW_URL) lead(node);
    this.lastLetter = letters ? "_" : "";
  }

  #write(text) {
    this.#current.element.append(text);
    this.lastLetter = text.at(-1);
  }

  #set(name, value) {
    const node = this.#current;
    if (name === smd.HREF || name === smd.SRC) {
      node.address = value;
      // What a bare address says follows.
      if (node.token !== smd.RAW_URL) lead(node);
    } else if (name === smd.LANG) {
      node.language.textContent = value.slice(0, LONGEST_LANGUAGE);
    } else if (name === smd.CHECKED) {
      node.element.textContent = "☑";
    } else if (name === smd.START && /^\d{1,9}$/.test(value)) {
      node.element.start = Number(value);
    }
  }
}

/** Makes a link of a link's element whose address has come; a picture's stands behind its description. */
function lead({ token, element, opening, address }) {
  const end = token === smd.RAW_URL ? endOf(address) : "";
  const safe = safeAddress(address.slice(0, address.length - end.length));
  const written = address.length > SHOWN_OF_ADDRESS ? `${address.slice(0, SHOWN_OF_ADDRESS)}…` : address;
  if (!safe || (token === smd.IMAGE && element.parentElement.closest("a"))) {
    element.append(`](${written})`);
  } else if (token === smd.IMAGE) {
    element.append("](", make("a", linkTo(safe), written), ")");
    element.replaceWith(make("span", {}, ...element.childNodes));
  } else {
    // The opening bracket was shown as long as nobody knew of an address.
    if (opening) element.firstChild.remove();
    for (const [name, value] of Object.entries(linkTo(safe))) element.setAttribute(name, value);
    if (!end) return;
    element.textContent = address.slice(0, -end.length);
    element.after(end);
  }
}

/** A sentence's full stop, and a bracket around an address, are no part of it. */
function endOf(address) {
  return (address.includes("(") ? /[.,;:!?]*$/ : /[.,;:!?)]*$/).exec(address)[0];
}

/** The address in full, or null for one that is no part of the web, or of this site: nobody here wrote it. */
function safeAddress(written) {
  const [, address] = /^<?([^\s>]*)/.exec(written);
  const url = URL.canParse(address) ? new URL(address) : null;
  return url && SAFE.includes(url.protocol) ? url.href : null;
}

function linkTo(address) {
  return { href: address, rel: "noopener noreferrer nofollow", target: "_blank" };
}

function blockOfCode() {
  const language = make("span", { class: "language" });
  const element = make("code");
  const copy = copyButton("the code", () => element.textContent);
  const scroller = make("pre", { class: "code", tabindex: 0, role: "group", "aria-label": "Code" }, element);
  const block = make("div", { class: "block-of-code" }, make("div", {}, language, copy), scroller);
  return { language, element, block };
}

function append(parent, element) {
  parent.append(element);
  return element;
}
