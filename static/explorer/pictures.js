/** A field for one picture or several: files of this device, sent along in base64, or addresses. */

import { make, makeButton } from "./dom.js";

// Bodies of requests end at 25 MB, and base64 takes a third more than the file.
const LARGEST = 18 * 1024 * 1024;

/** How many pictures `schema` takes: 0 where it is about something else. */
export function picturesOf(schema) {
  const isPicture = (one) => one?.contentMediaType?.startsWith("image/") ?? false;
  const list = [schema, ...(schema.anyOf ?? [])].find((one) => isPicture(one.items));
  if (list) return list.maxItems ?? 1;
  return isPicture(schema) ? 1 : 0;
}

/** A field as `makeField` makes it. Its value is a text where there is one picture, and else a list of them. */
export function pictures(id, schema, required, most) {
  const control = make("input", { id, type: "file", class: "sr-only", accept: "image/*", multiple: most > 1 });
  const list = make("ul", { class: "pictures", hidden: true });
  const call = most > 1 ? `Choose up to ${most} images` : "Choose an image";
  const ways = make("small", {}, "or drop or paste it here");
  const zone = make("label", { class: "zone", for: id }, make("span", {}, call), ways);
  const address = make("input", {
    id: `${id}-address`,
    type: "url",
    class: "input",
    placeholder: "https://…",
    "aria-label": "or the image's address",
  });
  const add = makeButton("Add", { hidden: most === 1, "aria-label": "Add the image of this address" });
  let chosen = [];

  const all = () => [...chosen, ...(address.value.trim() ? [address.value.trim()] : [])].slice(0, most);
  const changed = () => {
    list.replaceChildren(...chosen.map((source, at) => show(source, at)));
    list.hidden = !chosen.length;
    zone.hidden = chosen.length >= most;
    address.closest("div").hidden = chosen.length >= most;
    check();
    control.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const check = () => {
    const size = chosen.reduce((sum, source) => sum + (source.startsWith("data:") ? source.length * 0.75 : 0), 0);
    let wrong = required && !all().length ? "Choose an image, or give its address." : "";
    if (size > LARGEST) wrong = "Together that is too large: 18 MB at most.";
    control.setCustomValidity(wrong);
  };
  const take = (sources) => {
    chosen = [...chosen, ...sources].slice(-most);
    changed();
  };
  const takeFiles = async (files) => {
    const found = [...files].filter((one) => one.type.startsWith("image/"));
    if (found.length) take(await Promise.all(found.map(toDataURI)));
  };
  const show = (source, at) => {
    const picture = source.startsWith("data:")
      ? make("img", { src: source, alt: `Image ${at + 1}` })
      : make("span", { class: "address" }, source);
    const remove = makeButton("Remove", { "aria-label": `Remove image ${at + 1}` });
    remove.addEventListener("click", () => {
      chosen.splice(at, 1);
      changed();
      control.focus();
    });
    return make("li", {}, picture, remove);
  };

  control.addEventListener("change", async () => {
    await takeFiles(control.files);
    // So that the same file may be chosen again.
    control.value = "";
  });
  add.addEventListener("click", () => {
    const given = address.value.trim();
    address.value = "";
    if (given) take([given]);
    address.focus();
  });
  address.addEventListener("input", check);
  const byAddress = make("div", { class: "by-address" }, address, add);
  const body = make("div", { class: "picture" }, list, control, zone, byAddress);
  body.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.dataset.over = "";
  });
  body.addEventListener("dragleave", () => delete zone.dataset.over);
  body.addEventListener("drop", (event) => {
    event.preventDefault();
    delete zone.dataset.over;
    takeFiles(event.dataTransfer.files);
  });
  check();
  return {
    control,
    body,
    takeFiles,
    // In which form it travels is not for those to know who choose it.
    help: schema.description?.replace(/, in base64.*$/, "."),
    read: () => (all().length > 1 ? all() : all()[0]),
    write: (value) => {
      chosen = [value].flat().slice(0, most);
      address.value = "";
      changed();
    },
  };
}

/** `file` as a data URI. */
export function toDataURI(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
