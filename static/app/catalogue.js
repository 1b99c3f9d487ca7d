// The catalogue follows its form: what the form asks for is fetched as a page, and its results take the place of those
// that are shown. The address changes with them, so that it can be kept and sent on.
const form = document.querySelector("[data-catalogue]");
const PAUSE_MILLISECONDS = 150;
let pause = 0;
let asked = null;

function address() {
  const fields = [...new FormData(form)].filter(([, value]) => value);
  const query = new URLSearchParams(fields).toString();
  return query ? `${form.action.split("?")[0]}?${query}` : form.action.split("?")[0];
}

async function show() {
  const url = address();
  asked?.abort();
  asked = new AbortController();
  try {
    const answer = await fetch(url, { signal: asked.signal, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const results = page.getElementById("results");
    if (!answer.ok || !results) throw new Error(`no results at ${url}`);
    document.getElementById("results").replaceWith(document.importNode(results, true));
    // This one stays the same element, so that screen readers hear of its change.
    document.getElementById("count").textContent = page.getElementById("count").textContent;
    document.getElementById("clear").hidden = page.getElementById("clear").hidden;
    history.replaceState(null, "", url);
  } catch (error) {
    if (error.name !== "AbortError") location.assign(url);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
form.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(show, PAUSE_MILLISECONDS);
});
