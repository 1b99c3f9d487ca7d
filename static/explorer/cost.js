/** What the call would cost, beside the button that makes it. */

import { creditsText, make } from "./dom.js";

export class Cost {
  /** `parts`: `estimate`, `money`, the button `adding` and the list `breakdown` that it unfolds. */
  constructor(parts) {
    this.parts = parts;
    parts.adding.addEventListener("click", () => this.#unfold(parts.breakdown.hidden));
  }

  /** `~2 credits`, or `~5 credits, at most 7.925`. `estimate` as `POST /explorer/call/` answers it. */
  show({ credits, ceiling, money, breakdown }) {
    this.#say(estimateText({ credits, ceiling }), money);
    this.parts.adding.hidden = false;
    this.parts.breakdown.replaceChildren(
      ...breakdown.map(({ item, quantity, credits: part }) => {
        const counted = make("span", {}, `${quantity.toLocaleString("en")} × ${item}`);
        return make("li", {}, counted, make("span", {}, creditsText(part)));
      }),
    );
  }

  /** Says why there is none. */
  refuse(message) {
    this.#say(message, "");
    this.parts.adding.hidden = true;
    this.#unfold(false);
  }

  #say(text, money) {
    // What is the same is not said again.
    if (this.parts.estimate.textContent !== text) this.parts.estimate.textContent = text;
    this.parts.money.textContent = money;
  }

  #unfold(isOpen) {
    this.parts.breakdown.hidden = !isOpen;
    this.parts.adding.setAttribute("aria-expanded", String(isOpen));
  }
}

export function estimateText({ credits, ceiling }) {
  const most = ceiling > credits ? `, at most ${ceiling.toLocaleString("en", { maximumFractionDigits: 3 })}` : "";
  return `~${creditsText(credits)}${most}`;
}
