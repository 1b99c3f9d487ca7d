/** Elements, and the parts of the page that its template marks with `data-part`. */

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

/** The parts below `root` by their names. */
export function partsOf(root) {
  return Object.fromEntries([...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

/** `5 credits`, `1 credit`, `0.1 credits`. */
export function creditsText(credits) {
  return `${credits.toLocaleString("en", { maximumFractionDigits: 3 })} ${credits === 1 ? "credit" : "credits"}`;
}
