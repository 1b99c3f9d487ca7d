/** Images: a frame of their shape while they are made, then what was made, to download, to link, or to go on with. */

import { call } from "./api.js";
import { copyText, make, makeButton, makeLink, partsOf } from "./dom.js";
import { toDataURI } from "./pictures.js";
import { describable } from "./quote.js";

const PATH = "/images/generations";
const EXAMPLE = "A lighthouse at dawn, watercolour";
const USUAL = ["prompt", "image", "size", "n", "quality"];
// Streamed images are for programs.
const LEFT_OUT = ["stream", "partial_images"];
const SIZE = /^(\d+)x(\d+)$/;

export class ImageView {
  busyLabel = "Generating…";
  stoppedText =
    "A provider that was asked is paid, and so may be its image: your balance and your requests tell what was charged.";

  /** `page` besides the usual has `site`, `fill(values)`, `has(field)` and `answered(answer)`. */
  constructor(root, page) {
    this.page = page;
    this.parts = partsOf(root);
    this.blobs = [];
  }

  schema({ parameters: { properties, required } }) {
    const taken = Object.entries(properties).filter(([name]) => !LEFT_OUT.includes(name));
    const fields = Object.fromEntries(taken);
    if (fields.prompt) fields.prompt = { ...fields.prompt, examples: [EXAMPLE] };
    // How a size is written, the field shows; what becomes of it is the rest of the description.
    if (fields.size) fields.size = { ...fields.size, description: fields.size.description.split("`auto`. ").at(-1) };
    return { properties: inOrder(fields, USUAL), required, usual: USUAL };
  }

  compose(values) {
    return values;
  }

  describe(body) {
    return describable(body);
  }

  async run(body, { signal }) {
    const { page } = this;
    this.#await(body);
    let answer;
    try {
      answer = await call("POST", PATH, { key: page.key(), body: { model: page.model().id, ...body }, signal });
    } catch (error) {
      this.clear();
      throw error;
    }
    const made = answer.body.data;
    page.answered(answer.body);
    this.#show(made, body);
    const count = `${made.length} ${made.length === 1 ? "image" : "images"}`;
    const asked = body.n ?? 1;
    const title = made.length < asked ? `${made.length} of ${asked} images` : count;
    return { ...answer, title, summary: body.prompt, picture: made[0]?.url ?? null };
  }

  clear() {
    this.#free();
    this.parts.images.replaceChildren();
    this.parts.images.hidden = true;
    this.parts.imagesEmpty.hidden = false;
  }

  /** Frames of the shape that the images will have, so that nothing moves when they come. */
  #await({ n = 1, size = "", prompt }) {
    this.#free();
    const frames = Array.from({ length: n }, () => {
      const frame = make("div", { class: "frame awaited" });
      shape(frame, size);
      return make("li", {}, frame);
    });
    this.#fill(frames);
    this.parts.images.setAttribute("aria-label", prompt ?? "Images");
  }

  #show(made, body) {
    this.#fill(made.map((one, at) => this.#image(one, body, at)));
  }

  #fill(items) {
    const { images, imagesEmpty } = this.parts;
    images.replaceChildren(...items);
    images.dataset.count = items.length > 1 ? "several" : "one";
    images.hidden = false;
    imagesEmpty.hidden = true;
  }

  #image({ url, b64_json: base64 }, { prompt, size = "", output_format: format = "png" }, at) {
    const source = url ? this.#near(url) : this.#blobOf(base64, format);
    const frame = make("div", { class: "frame" });
    shape(frame, size);
    const picture = make("img", { alt: prompt ?? `Image ${at + 1}` });
    const about = make("span", { class: "size" });
    picture.addEventListener("load", () => {
      // What came decides, where the size that was asked for was no shape.
      frame.style.aspectRatio = `${picture.naturalWidth} / ${picture.naturalHeight}`;
      about.textContent = `${picture.naturalWidth} × ${picture.naturalHeight} · ${formatOf(url, format)}`;
    });
    picture.src = source;
    frame.append(picture);
    const which = at ? ` ${at + 1}` : "";
    const input = url ?? `data:image/${format};base64,${base64}`;
    const file = { href: source, download: `image-${at + 1}.${format}` };
    const tab = { href: source, target: "_blank", rel: "noopener" };
    const actions = [
      makeLink("Download", { ...file, "aria-label": `Download image${which}` }),
      makeLink("Open", { ...tab, "aria-label": `Open image${which}` }),
      url ? this.#button(`Copy link of image${which}`, "Copy link", (button) => copyText(button, url)) : null,
      this.page.has("image")
        ? this.#button(`Use as input: image${which}`, "Use as input", () => this.#useAsInput(input))
        : null,
    ];
    return make("li", {}, frame, make("div", { class: "actions" }, about, ...actions.filter(Boolean)));
  }

  #button(label, text, onClick) {
    const button = makeButton(text, { "aria-label": label });
    button.addEventListener("click", () => onClick(button));
    return button;
  }

  async #useAsInput(image) {
    this.page.fill({ image: image.startsWith("data:") ? image : await this.#read(image) });
  }

  /** As a data URI; from another host, which the page may not read, as its address, which the API can. */
  async #read(url) {
    try {
      const response = await fetch(this.#near(url));
      return response.ok ? await toDataURI(await response.blob()) : url;
    } catch {
      return url;
    }
  }

  /** Our own storage's address as this page reaches it, which may know the site by another name. */
  #near(url) {
    const { site } = this.page;
    return url.startsWith(`${site}/`) ? url.slice(site.length) : url;
  }

  #blobOf(base64, format) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const address = URL.createObjectURL(new Blob([bytes], { type: `image/${format}` }));
    this.blobs.push(address);
    return address;
  }

  #free() {
    this.blobs.forEach((address) => URL.revokeObjectURL(address));
    this.blobs = [];
  }
}

function shape(frame, size) {
  const [, width, height] = SIZE.exec(size) ?? [null, 1, 1];
  frame.style.aspectRatio = `${width} / ${height}`;
}

function formatOf(url, format) {
  const ending = url && /\.(\w+)(\?|$)/.exec(url)?.[1];
  return (ending || format).toUpperCase();
}

/** `fields` with those of `first` before the others. */
function inOrder(fields, first) {
  const names = new Set([...first.filter((name) => name in fields), ...Object.keys(fields)]);
  return Object.fromEntries([...names].map((name) => [name, fields[name]]));
}
