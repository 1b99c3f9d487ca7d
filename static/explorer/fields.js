/**
 * One field of the form for one property of a JSON Schema.
 *
 * A field is `{control, body, read(), write(value)}`: `control` is what its label names and what takes the focus, `body`
 * what the form shows. `read()` is undefined where the request should not hold the property, so that the API's default,
 * which may depend on other properties, stays the API's affair. With `isGroup` the body is several controls; a `help` of
 * its own stands for the schema's description.
 */

import { make } from "./dom.js";
import { picturesOf, pictures } from "./pictures.js";

// Texts that may be longer than this get several lines.
const LONG = 500;
const LARGEST_FILE = 25 * 1024 * 1024;
const OTHER = "other";

/** The field for `schema`, or null for what a form does not ask: what is fixed, has one value only, or is a structure. */
export function makeField(id, schema, required) {
  if (schema.const !== undefined || schema.enum?.length === 1) return null;
  if (schema.enum) return choice(id, schema, required);
  const most = picturesOf(schema);
  if (most) return pictures(id, schema, required, most);
  if (schema.contentMediaType) return file(id, schema, required);
  const offered = schema.anyOf?.find((one) => one.enum);
  if (offered) return openChoice(id, schema, offered.enum, required);
  const list = [schema, ...(schema.anyOf ?? [])].find((one) => one.type === "array");
  if (list) return listOf(id, list, required);
  switch (schema.type) {
    case "boolean":
      return flag(id, schema);
    case "integer":
    case "number":
      return number(id, schema, required);
    case "string":
      return text(id, schema, required);
    default:
      return null;
  }
}

function choice(id, schema, required) {
  const control = make("select", { id, required, class: "select" }, ...optionsOf(schema, schema.enum, required));
  return {
    control,
    body: control,
    read: () => (control.value ? JSON.parse(control.value) : undefined),
    write: (value) => {
      control.value = schema.enum.includes(value) ? JSON.stringify(value) : control.options[0].value;
    },
  };
}

function optionsOf(schema, values, required) {
  const usual = schema.default;
  const first = usual !== undefined ? `${usual} (default)` : required ? null : "–";
  const rest = values.filter((value) => value !== usual);
  const options = rest.map((value) => make("option", { value: JSON.stringify(value) }, shown(value)));
  return first === null ? options : [make("option", { value: "" }, first), ...options];
}

function shown(value) {
  return String(value).replace(/^(\d+)x(\d+)$/, "$1 × $2");
}

/** Some values to choose from, and a field for another, of which the schema says the pattern. */
function openChoice(id, schema, values, required) {
  const { pattern } = schema.anyOf.find((one) => one.pattern) ?? {};
  const control = make("select", { id, required, class: "select" }, ...optionsOf(schema, values, required));
  control.append(make("option", { value: OTHER }, "Another…"));
  const other = make("input", {
    class: "input",
    id: `${id}-other`,
    "aria-label": `Another ${(schema.title ?? id).toLowerCase()}`,
    placeholder: "1280x720",
    pattern,
    autocomplete: "off",
    spellcheck: "false",
  });
  const showOther = () => (other.hidden = control.value !== OTHER);
  control.addEventListener("change", () => {
    showOther();
    if (!other.hidden) other.focus();
  });
  const check = () => {
    const isWrong = control.value === OTHER && (!other.value || !other.checkValidity());
    control.setCustomValidity(isWrong ? "Write it as width x height in pixels: `1280x720`." : "");
  };
  for (const one of [control, other]) one.addEventListener("input", check);
  showOther();
  return {
    control,
    body: make("div", { class: "open-choice" }, control, other),
    read: () => {
      if (control.value === OTHER) return other.value.trim() || undefined;
      return control.value ? JSON.parse(control.value) : undefined;
    },
    write: (value) => {
      const isOffered = value === schema.default || values.includes(value);
      control.value = value === schema.default ? "" : isOffered ? JSON.stringify(value) : OTHER;
      other.value = isOffered ? "" : value;
      showOther();
      check();
    },
  };
}

function flag(id, schema) {
  const usual = schema.default ?? false;
  const control = make("input", { id, type: "checkbox", checked: usual });
  return {
    control,
    body: control,
    read: () => (control.checked === usual ? undefined : control.checked),
    write: (value) => (control.checked = value === true),
  };
}

function number(id, schema, required) {
  const control = make("input", {
    id,
    required,
    class: "input",
    type: "number",
    inputmode: schema.type === "integer" ? "numeric" : "decimal",
    min: schema.minimum,
    max: schema.maximum,
    step: schema.type === "integer" ? 1 : "any",
    placeholder: schema.default,
  });
  return {
    control,
    body: control,
    read: () => (control.value === "" ? undefined : control.valueAsNumber),
    write: (value) => (control.value = typeof value === "number" ? value : ""),
  };
}

function text(id, schema, required) {
  const limits = { id, required, minlength: schema.minLength, maxlength: schema.maxLength };
  const control =
    schema.maxLength > LONG
      ? make("textarea", { ...limits, rows: 4, class: "textarea" })
      : make("input", { ...limits, type: schema.format === "uri" ? "url" : "text", class: "input" });
  return {
    control,
    body: control,
    read: () => control.value || undefined,
    write: (value) => (control.value = String(value)),
  };
}

/** Several texts, one a line; or several of some values, each with a box to tick. */
function listOf(id, schema, required) {
  if (schema.items?.enum) return boxes(id, schema.items.enum);
  if (schema.items?.type !== "string") return null;
  const control = make("textarea", { id, required, rows: 3, class: "textarea", placeholder: "One a line" });
  return {
    control,
    body: control,
    read: () => {
      const lines = control.value.split("\n").filter((line) => line.trim());
      return lines.length ? lines : undefined;
    },
    write: (value) => (control.value = [value].flat().join("\n")),
  };
}

function boxes(id, values) {
  const inputs = values.map((value, at) => make("input", { id: `${id}-${at}`, type: "checkbox", class: "input" }));
  const labels = values.map((value, at) => make("label", { for: `${id}-${at}` }, inputs[at], String(value)));
  return {
    control: inputs[0],
    body: make("div", { class: "boxes" }, ...labels),
    isGroup: true,
    read: () => {
      const chosen = values.filter((_, at) => inputs[at].checked);
      return chosen.length ? chosen : undefined;
    },
    write: (value) => values.forEach((one, at) => (inputs[at].checked = [value].flat().includes(one))),
  };
}

/** A file that is sent as it is. */
function file(id, schema, required) {
  const control = make("input", { id, required, type: "file", class: "input", accept: schema.contentMediaType });
  const given = make("p", { class: "given", hidden: true });
  let chosen;
  const show = (value) => {
    chosen = value;
    const isLarge = chosen?.size > LARGEST_FILE;
    control.setCustomValidity(isLarge ? "This file is too large: 25 MB at most." : "");
    control.required = required && !chosen;
    // What is kept from another model's form cannot be written into the browser's own field.
    given.hidden = !chosen || control.files[0] === chosen;
    given.textContent = chosen ? `Chosen: ${chosen.name}` : "";
  };
  control.addEventListener("change", () => show(control.files[0]));
  return {
    control,
    body: make("div", { class: "open-choice" }, control, given),
    // How it travels is for those who write the call themselves.
    help: schema.description?.replace(", as a part of a multipart form", ""),
    read: () => chosen,
    write: (value) => value instanceof Blob && show(value),
  };
}
