/** A form made of a JSON Schema, as GET /v1/models gives one with each model as `parameters`. */

import { make } from "./dom.js";
import { makeField } from "./fields.js";

export class ParameterForm {
  /** `root` takes the fields, `more` those that few people need. */
  constructor(root, more) {
    this.root = root;
    this.more = more;
    this.fields = new Map();
    this.touched = new Set();
  }

  /**
   * Shows the fields of `schema`, with those of `values` that it takes. A required text that has none begins with the
   * first of its schema's `examples`. `schema.usual` names the fields to show at once; the others are folded away.
   */
  show(schema, values) {
    this.fields.clear();
    this.touched.clear();
    this.root.replaceChildren();
    this.more.replaceChildren();
    for (const [name, property] of Object.entries(schema.properties)) {
      const required = schema.required?.includes(name) ?? false;
      const field = makeField(`parameter-${name}`, property, required);
      if (!field) continue;
      this.fields.set(name, field);
      const isUsual = schema.usual?.includes(name) ?? (required || property.default !== undefined || !isScalar(property));
      (isUsual ? this.root : this.more).append(this.#layOut(name, field, property, required));
      const value = values[name] ?? (required ? property.examples?.[0] : undefined);
      if (value !== undefined) field.write(value);
    }
    this.more.closest("details").hidden = !this.more.hasChildNodes();
  }

  /** The properties that the request should hold. */
  read() {
    const read = [...this.fields].map(([name, field]) => [name, field.read()]);
    return Object.fromEntries(read.filter(([, value]) => value !== undefined));
  }

  /** Writes `values` into the fields of their names. */
  write(values) {
    for (const [name, value] of Object.entries(values)) this.fields.get(name)?.write(value);
  }

  /** As `write`, and goes to the first. */
  fill(values) {
    this.write(values);
    const field = this.fields.get(Object.keys(values)[0]);
    if (field) goTo(field.control);
  }

  has(name) {
    return this.fields.has(name);
  }

  /** Whether all can be sent as it is; marks what cannot, and goes to the first of it. */
  check() {
    const wrong = [...this.fields.values()].filter(({ control }) => {
      mark(control, control.validationMessage);
      return !control.checkValidity();
    });
    if (wrong.length) goTo(wrong[0].control);
    return !wrong.length;
  }

  /** Says `message` beside the field of an API's `param`; whether there is one. */
  refuse(param, message) {
    const field = this.#fieldOf(param);
    if (!field) return false;
    mark(field.control, message);
    goTo(field.control);
    return true;
  }

  /** As `refuse`, without going there, and only where the field was changed: nobody is told off for what is to come. */
  hint(param, message) {
    const field = this.touched.has(nameIn(param)) && this.#fieldOf(param);
    if (!field) return false;
    mark(field.control, message);
    return true;
  }

  /** The first field that takes pictures from the clipboard, or undefined. */
  get pictures() {
    return [...this.fields.values()].find((field) => field.takeFiles);
  }

  #fieldOf(param) {
    return this.fields.get(nameIn(param));
  }

  #layOut(name, { control, body, help: text, isGroup }, property, required) {
    const help = make("p", { id: `${control.id}-help` }, plain(text ?? property.description));
    const error = make("p", { id: `${control.id}-error`, class: "error", hidden: true });
    control.setAttribute("aria-describedby", `${help.id} ${error.id}`);
    control.dataset.error = error.id;
    body.addEventListener("input", () => {
      this.touched.add(name);
      mark(control, "");
    });
    const title = property.title ?? name;
    const label = isGroup ? make("legend", {}, title) : make("label", { for: control.id }, title);
    if (!required && property.default === undefined) label.append(make("span", { class: "optional" }, " optional"));
    if (control.matches("[type=checkbox]") && !isGroup) {
      const words = make("section", {}, label, help, error);
      return make("div", { class: "field", "data-orientation": "horizontal" }, body, words);
    }
    if (isGroup) return make("fieldset", { class: "field" }, label, body, help, error);
    const kind = body.matches("select, [type=number]") ? "field short" : "field";
    return make("div", { class: kind }, label, body, help, error);
  }
}

/** Says beside `control` what is wrong with it; an empty message says that nothing is. */
export function mark(control, message) {
  const error = document.getElementById(control.dataset.error ?? `${control.id}-error`);
  error.textContent = plain(message);
  error.hidden = !message;
  if (message) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}

/** Moves the focus to `control`, also where it is folded away. */
export function goTo(control) {
  const fold = control.closest("details");
  if (fold) fold.open = true;
  control.focus();
}

function isScalar(property) {
  return ["string", "integer", "number", "boolean"].includes(property.type) && !property.contentMediaType;
}

/** `messages[0].content` and `image.1` are about their first name. */
function nameIn(param) {
  return String(param ?? "").split(/[.[]/)[0];
}

/** Without the backticks, in which texts of the API put names. */
function plain(text = "") {
  return text.replaceAll("`", "");
}
