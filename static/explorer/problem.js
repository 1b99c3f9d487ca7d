/** A refused call on the page: what happened, what it cost, what to do next, and the id to name when asking for help. */

import { copyText, make, makeButton, makeLink } from "./dom.js";

// By the code, or else the status.
const TITLES = {
  0: "No answer",
  400: "The request is not accepted",
  401: "The API key is not accepted",
  402: "Not enough credits",
  403: "This key may not do that",
  404: "There is no such thing",
  409: "Not possible now",
  413: "The request is too large",
  422: "Something in the form is not accepted",
  429: "Too much at once",
  500: "The model failed",
  503: "Not available at the moment",
  content_policy_violation: "The content was refused",
};
// What to do next, by the code or else the status, and where.
const NEXT = {
  401: ["Check the key, or make another: your keys", "/keys/"],
  402: ["Buy credits", "/billing/"],
  403: ["See what the key may do: your keys", "/keys/"],
  404: ["Choose another model: all models", "/models/"],
  422: ["Change what the message names, and run it again.", null],
  429: ["How many calls a key may make: rate limits", "/docs/rate-limits/"],
  500: ["Run it again, or choose another model.", null],
  503: ["Run it again in a moment, or choose another model.", null],
  0: ["Check your connection, and run it again.", null],
  content_policy_violation: ["Put it in other words, and run it again.", null],
};

/**
 * Shows `error`, an `ApiError`, in `root`, a region that is announced. `cost`, a sentence or nothing, says what it means
 * for the credits; `receipt`, an address or nothing, is where its request is told of.
 */
export function showProblem(root, error, cost, receipt = "") {
  const wait = error.retryAfter
    ? ` Try again in ${error.retryAfter} ${error.retryAfter === 1 ? "second" : "seconds"}.`
    : "";
  root.replaceChildren(
    make("h3", {}, TITLES[error.code] ?? TITLES[error.status] ?? "That did not work"),
    make(
      "section",
      {},
      cost ? make("p", { class: "cost" }, cost) : null,
      make("p", {}, `${error.message.replaceAll("`", "")}${wait}`),
      nextStep(NEXT[error.code] ?? NEXT[error.status]),
      facts(error, receipt),
    ),
  );
  root.hidden = false;
}

export function hideProblem(root) {
  root.hidden = true;
  root.replaceChildren();
}

function nextStep(next) {
  if (!next) return null;
  const [text, address] = next;
  return make("p", {}, address ? make("a", { href: address }, text) : text);
}

function facts(error, receipt) {
  const told = { Code: error.code, Status: error.status || null, Request: error.requestId };
  const rows = Object.entries(told).filter(([, value]) => value);
  const list = make(
    "dl",
    { class: "facts" },
    ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, make("code", {}, String(value)))]),
  );
  if (!error.requestId) return list;
  const copy = makeButton("Copy the request id");
  copy.addEventListener("click", () => copyText(copy, error.requestId));
  const link = receipt ? makeLink("Receipt", { href: receipt }) : null;
  return make("div", { class: "grid gap-2" }, list, make("p", { class: "flex flex-wrap gap-2" }, copy, link));
}
