// What every page has: the theme's button, menus, copying, tabs of code, and the palette.
import { copyOnClick } from "./copy.js";
import { setUpTabs } from "./tabs.js";

for (const button of document.querySelectorAll("[data-theme-toggle]")) {
  button.addEventListener("click", () => {
    const dark = document.documentElement.classList.toggle("dark");
    try {
      localStorage.setItem("theme", dark ? "dark" : "light");
    } catch {
      // Then it holds for this page alone.
    }
  });
}

// A menu closes with Escape, when something else is clicked, and when the focus leaves it.
for (const menu of document.querySelectorAll("details[data-menu]")) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
  });
}

document.addEventListener("click", copyOnClick);
for (const tabs of document.querySelectorAll("[data-tabs]")) setUpTabs(tabs);

// A row of links that scrolls begins where its page is.
for (const row of document.querySelectorAll("[data-keep-current-in-view]")) {
  const current = row.querySelector('[aria-current="page"]');
  if (current) row.scrollLeft = current.offsetLeft - row.offsetLeft - (row.clientWidth - current.offsetWidth) / 2;
}

// The palette comes when it is first asked for: by its button, or by Ctrl+K and ⌘K.
async function openPalette() {
  const { open } = await import("./palette.js");
  await open();
}
for (const button of document.querySelectorAll("[data-palette]")) button.addEventListener("click", openPalette);
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  openPalette();
});
