/** Elements, and the parts of the page that its template marks with `data-part`. */

const SMALL = { class: "btn", "data-variant": "outline", "data-size": "sm" };

/** A new element. Attributes that are null or false are left out; children are elements or texts. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A small button of the page's look. */
export function makeButton(text, attributes = {}) {
  return make("button", { type: "button", ...SMALL, ...attributes }, text);
}

/** A link that looks like one. */
export function makeLink(text, attributes) {
  return make("a", { ...SMALL, ...attributes }, text);
}

/** The parts below `root` by their names. Those of a view, `[data-view]`, are that view's alone. */
export function partsOf(root) {
  const view = root.closest("[data-view]");
  const own = [...root.querySelectorAll("[data-part]")].filter((part) => part.closest("[data-view]") === view);
  return Object.fromEntries(own.map((part) => [part.dataset.part, part]));
}

/** `5 credits`, `1 credit`, `0.1 credits`. */
export function creditsText(credits) {
  return `${credits.toLocaleString("en", { maximumFractionDigits: 3 })} ${credits === 1 ? "credit" : "credits"}`;
}

/** Copies `text`, and says so on `button` for a moment. */
export async function copyText(button, text) {
  const label = button.querySelector("[data-label]") ?? button;
  const before = (button.dataset.before ??= label.textContent);
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    label.textContent = "Not allowed";
  }
  setTimeout(() => (label.textContent = before), 1500);
}
