/**
 * One field of the form for one property of a JSON Schema.
 *
 * A field is `{control, body, read(), write(value)}`: `control` is what its label names, `body` what the form shows.
 * `read()` is undefined where the request should not hold the property, so that the API's default, which may depend on
 * other properties, stays the API's affair.
 */

import { make } from "./dom.js";

// Texts that may be longer than this get several lines.
const LONG = 500;
// Bodies of requests end at 25 MB, and base64 takes a third more than the file.
const LARGEST_FILE = 18 * 1024 * 1024;

/** The field for `schema`, or null for what a form does not ask: what is fixed, has one value only, or is a structure. */
export function makeField(id, schema, required) {
  if (schema.const !== undefined || schema.enum?.length === 1) return null;
  if (schema.enum) return choice(id, schema, required);
  if (schema.contentMediaType?.startsWith("image/")) return picture(id, schema, required);
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
  const control = make("select", { id, required });
  if (schema.default !== undefined) control.append(make("option", { value: "" }, `Default: ${schema.default}`));
  else if (!required) control.append(make("option", { value: "" }, "–"));
  control.append(...schema.enum.map((value) => make("option", { value: JSON.stringify(value) }, String(value))));
  return {
    control,
    body: control,
    read: () => (control.value ? JSON.parse(control.value) : undefined),
    write: (value) => {
      if (schema.enum.includes(value)) control.value = JSON.stringify(value);
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
    write: (value) => (control.checked = value),
  };
}

function number(id, schema, required) {
  const control = make("input", {
    id,
    required,
    type: "number",
    min: schema.minimum,
    max: schema.maximum,
    step: schema.type === "integer" ? 1 : "any",
    placeholder: schema.default,
  });
  return {
    control,
    body: control,
    read: () => (control.value === "" ? undefined : control.valueAsNumber),
    write: (value) => (control.value = value),
  };
}

function text(id, schema, required) {
  const limits = { id, required, minlength: schema.minLength, maxlength: schema.maxLength };
  const control =
    schema.maxLength > LONG
      ? make("textarea", { ...limits, rows: 4 })
      : make("input", { ...limits, type: schema.format === "uri" ? "url" : "text" });
  return {
    control,
    body: control,
    read: () => control.value || undefined,
    write: (value) => (control.value = value),
  };
}

/** A file from this device, sent along in base64, or the address of a picture. */
function picture(id, schema, required) {
  const control = make("input", { id, type: "file", class: "input", accept: schema.contentMediaType });
  const address = make("input", { id: `${id}-address`, type: "url", class: "input", placeholder: "https://…" });
  const preview = make("img", { alt: "The chosen picture", hidden: true });
  const look = { class: "btn", "data-variant": "outline", "data-size": "sm" };
  const clear = make("button", { type: "button", ...look, hidden: true }, "Remove the picture");
  let data;

  const show = (value) => {
    data = value;
    preview.hidden = clear.hidden = !data;
    address.disabled = Boolean(data);
    if (data) preview.src = data;
    else preview.removeAttribute("src");
    check();
  };
  const check = () => {
    const missing = required && !data && !address.value;
    control.setCustomValidity(missing ? "Choose a picture, or give its address." : "");
  };

  control.addEventListener("change", async () => {
    const [file] = control.files;
    show(undefined);
    if (file && file.size > LARGEST_FILE) {
      control.setCustomValidity("This file is too large: 18 MB at most.");
    } else if (file) {
      show(await toDataURI(file));
    }
    // The form looks again, now that the file has been read.
    control.dispatchEvent(new Event("input", { bubbles: true }));
  });
  clear.addEventListener("click", () => {
    control.value = "";
    show(undefined);
    control.dispatchEvent(new Event("input", { bubbles: true }));
    control.focus();
  });
  address.addEventListener("input", check);
  check();

  const label = make("label", { for: address.id, class: "or" }, "or the picture's address");
  return {
    control,
    body: make("div", { class: "picture" }, control, preview, clear, label, address),
    read: () => data || address.value || undefined,
    write: (value) => {
      if (!value.startsWith("data:")) address.value = value;
      check();
    },
  };
}

function toDataURI(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
