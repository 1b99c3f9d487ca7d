/** A form made of the JSON Schema that GET /v1/models gives with each model as `parameters`. */

import { make } from "./dom.js";
import { makeField } from "./fields.js";

export class ParameterForm {
  /** `root` takes the fields, `more` those that few people need. */
  constructor(root, more) {
    this.root = root;
    this.more = more;
    this.fields = new Map();
  }

  /** Shows the fields of `schema`, with those of `values` that it takes. */
  show(schema, values) {
    this.fields.clear();
    this.root.replaceChildren();
    this.more.replaceChildren();
    for (const [name, property] of Object.entries(schema.properties)) {
      const required = schema.required.includes(name);
      const field = makeField(`parameter-${name}`, property, required);
      if (!field) continue;
      this.fields.set(name, field);
      if (values[name] !== undefined) field.write(values[name]);
      const isUsual = required || property.default !== undefined || property.contentMediaType;
      (isUsual ? this.root : this.more).append(layOut(field, property, required));
    }
    this.more.closest("details").hidden = !this.more.hasChildNodes();
  }

  /** The properties that the request should hold. */
  read() {
    const read = [...this.fields].map(([name, field]) => [name, field.read()]);
    return Object.fromEntries(read.filter(([, value]) => value !== undefined));
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
    const field = this.fields.get(param);
    if (!field) return false;
    mark(field.control, message);
    goTo(field.control);
    return true;
  }
}

/** Says beside `control` what is wrong with it; an empty message says that nothing is. */
export function mark(control, message) {
  const error = document.getElementById(`${control.id}-error`);
  error.textContent = message;
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

function layOut({ control, body }, property, required) {
  const help = make("p", { id: `${control.id}-help` }, property.description ?? "");
  const error = make("p", { id: `${control.id}-error`, class: "error", hidden: true });
  control.setAttribute("aria-describedby", `${help.id} ${error.id}`);
  control.addEventListener("input", () => mark(control, ""));
  const label = make("label", { for: control.id }, property.title ?? control.id);
  if (!required && property.default === undefined) label.append(make("span", { class: "optional" }, " optional"));
  if (control.matches("[type=checkbox]")) {
    const words = make("section", {}, label, help, error);
    return make("div", { class: "field", "data-orientation": "horizontal" }, body, words);
  }
  const kind = control.matches("select, [type=number]") ? "field short" : "field";
  return make("div", { class: kind }, label, body, help, error);
}
