/** Which model: first its type, then one of the models of that type. The server has written all of them into the page. */

import { call } from "./api.js";

export class ModelPicker {
  /**
   * `parts`: the fieldset `types` of radio buttons, the select `model`, and `description`, `price` and `page` for what is
   * said of it. `onChange()` is called when another was chosen, and again when its `parameters` are there.
   */
  constructor(parts, { onChange }) {
    this.parts = parts;
    this.onChange = onChange;
    this.groups = [...parts.model.querySelectorAll("optgroup")];
    this.known = new Map();
    this.lastOf = new Map();
    parts.types.addEventListener("change", ({ target }) => this.choose(this.lastOf.get(target.value), target.value));
    parts.model.addEventListener("change", () => this.choose(parts.model.value));
  }

  /** The model's id. */
  get id() {
    return this.parts.model.value;
  }

  get type() {
    return this.parts.types.querySelector("input:checked")?.value ?? "";
  }

  /** `{id, type, parameters}` as GET /v1/models gives it, or null as long as that has not answered. */
  get model() {
    return this.known.get(this.id) ?? null;
  }

  /** Whether there is the model `id`, and of `type`, if one is named. */
  has(id, type = null) {
    const found = this.#typeOf(id);
    return found !== null && (type === null || found === type);
  }

  /** Chooses the model `id`; if there is none of it, the first of `type`. Throws `ApiError` where it cannot be read. */
  async choose(id, type = null) {
    const wanted = this.#typeOf(id) ?? type ?? this.groups[0].dataset.type;
    this.parts.types.querySelector(`[value="${wanted}"]`).checked = true;
    this.parts.model.replaceChildren(...this.groups.filter((group) => group.dataset.type === wanted));
    const first = this.parts.model.querySelector("[data-first]") ?? this.parts.model.options[0];
    this.parts.model.value = this.#typeOf(id) === wanted ? id : first.value;
    this.lastOf.set(wanted, this.id);
    this.#describe();
    this.onChange();
    await this.#read(this.id);
  }

  #typeOf(id) {
    const holds = (group) => [...group.children].some((option) => option.value === id);
    return this.groups.find(holds)?.dataset.type ?? null;
  }

  #describe() {
    const { description, price, page, model } = this.parts;
    const { dataset } = model.selectedOptions[0];
    description.textContent = dataset.description;
    price.textContent = dataset.price;
    page.href = dataset.page;
  }

  async #read(id) {
    if (this.known.has(id)) return;
    const path = id.split("/").map(encodeURIComponent).join("/");
    const { body } = await call("GET", `/models/${path}`);
    this.known.set(id, body);
    // Unless another was chosen meanwhile.
    if (this.id === id) this.onChange();
  }
}
