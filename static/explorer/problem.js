/** A refused call on the page: what happened, what it cost, what to do next, and the id to name when asking for help. */

import { make } from "./dom.js";

const TITLES = {
  0: "No answer",
  401: "The API key is not accepted",
  402: "Not enough credits",
  403: "This key may not do that",
  404: "There is no such thing",
  409: "Not possible now",
  413: "The request is too large",
  422: "Something in the form is not accepted",
  429: "Too much at once",
  503: "Not available at the moment",
};
const NEXT = {
  401: ["Your keys", "/keys/"],
  402: ["Buy credits", "/billing/"],
};

/**
 * Shows `error`, an `ApiError`, in `root`, a region that is announced. `cost`, a sentence or nothing, says what it means
 * for the credits.
 */
export function showProblem(root, error, cost) {
  const next = NEXT[error.status];
  const wait =
    error.retryAfter === null
      ? ""
      : ` Try again in ${error.retryAfter} ${error.retryAfter === 1 ? "second" : "seconds"}.`;
  const facts = { Code: error.code, Status: error.status || null, Request: error.requestId };
  const rows = Object.entries(facts).filter(([, value]) => value);
  root.replaceChildren(
    make("h3", {}, TITLES[error.status] ?? "That did not work"),
    make(
      "section",
      {},
      make("p", {}, `${error.message}${wait} ${cost}`),
      next ? make("p", {}, make("a", { href: next[1] }, next[0])) : null,
      make(
        "dl",
        { class: "facts" },
        ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, make("code", {}, String(value)))]),
      ),
    ),
  );
  root.hidden = false;
}

export function hideProblem(root) {
  root.hidden = true;
  root.replaceChildren();
}
