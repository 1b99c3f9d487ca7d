// What every page has: the theme's button, the menu, copying, and tabs of code.
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

// A menu closes with Escape, and when something else is clicked.
for (const menu of document.querySelectorAll("details[data-menu]")) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

document.addEventListener("click", copyOnClick);
for (const tabs of document.querySelectorAll("[data-tabs]")) setUpTabs(tabs);
