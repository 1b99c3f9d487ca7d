// The palette: finds pages and models by their names, and leads there. A dialog with a list that the arrows move in, by
// the ARIA pattern of a combobox (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/).
const SHOWN = 10;
const FAILED = "The list could not be loaded. Close this and try again.";

const dialog = document.createElement("dialog");
dialog.className =
  "mx-auto mt-[12vh] w-[min(36rem,calc(100vw-2rem))] overflow-hidden rounded-xl border bg-popover p-0 text-popover-foreground shadow-xl backdrop:bg-black/40";
dialog.setAttribute("aria-label", "Find a page or a model");
dialog.innerHTML = `
  <input class="h-12 w-full border-b bg-transparent px-4 outline-none" type="text" role="combobox" aria-expanded="true"
    aria-controls="palette-list" aria-autocomplete="list" aria-label="Find a page or a model"
    placeholder="Find a page or a model" autocomplete="off" spellcheck="false">
  <ul class="max-h-[60vh] overflow-y-auto p-2" id="palette-list" role="listbox" aria-label="Found"></ul>
  <p class="px-4 pb-4 text-sm text-muted-foreground" role="status" hidden></p>`;
document.body.append(dialog);
const [field, list, note] = dialog.children;

let entries = [];
let chosen = 0;

export async function open() {
  if (dialog.open) return;
  field.value = "";
  dialog.showModal();
  try {
    const answer = await fetch("/search.json");
    if (!answer.ok) throw new Error(`${answer.status}`);
    ({ entries } = await answer.json());
    show();
  } catch {
    say(FAILED);
  }
}

function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ name, kind }) => words.every((word) => `${name} ${kind}`.toLowerCase().includes(word));
  const begins = ({ name }) => Number(!name.toLowerCase().startsWith(words[0] ?? ""));
  return entries
    .filter(fits)
    .sort((one, other) => begins(one) - begins(other))
    .slice(0, SHOWN);
}

function show() {
  const found = find(field.value);
  list.replaceChildren(...found.map(option));
  say(found.length ? "" : "Nothing has this name.");
  choose(0);
}

function option({ name, kind, url }, at) {
  const item = document.createElement("li");
  item.className =
    "flex cursor-pointer items-baseline justify-between gap-4 rounded-md px-3 py-2 text-sm aria-selected:bg-muted";
  item.id = `palette-${at}`;
  item.dataset.url = url;
  item.setAttribute("role", "option");
  const [left, right] = [name, kind].map((text, column) => {
    const part = document.createElement("span");
    part.className = column ? "shrink-0 text-xs text-muted-foreground" : "truncate";
    part.textContent = text;
    return part;
  });
  item.append(left, right);
  return item;
}

function choose(at) {
  const options = [...list.children];
  chosen = options.length ? (at + options.length) % options.length : 0;
  options.forEach((one, place) => one.setAttribute("aria-selected", String(place === chosen)));
  options[chosen]?.scrollIntoView({ block: "nearest" });
  if (options.length) field.setAttribute("aria-activedescendant", options[chosen].id);
  else field.removeAttribute("aria-activedescendant");
}

function say(text) {
  note.textContent = text;
  note.hidden = !text;
}

field.addEventListener("input", show);
field.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) choose(chosen + step);
  else if (event.key === "Enter") list.children[chosen]?.click();
  else return;
  event.preventDefault();
});
list.addEventListener("click", (event) => {
  const item = event.target.closest("[data-url]");
  if (item) location.assign(item.dataset.url);
});
// A click on the dialog itself is one beside what it holds.
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
