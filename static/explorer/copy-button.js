/** Buttons that copy what the page has made. */

import { copyText, make, makeButton } from "./dom.js";

/** A button that copies what `text()` is when it is pressed. `of` says of what, to those who hear the page. */
export function copyButton(of, text, label = "Copy") {
  const button = makeButton("", { "data-variant": "ghost" });
  button.append(make("span", { "data-label": true }, label), make("span", { class: "sr-only" }, ` ${of}`));
  button.addEventListener("click", () => copyText(button, text()));
  return button;
}
