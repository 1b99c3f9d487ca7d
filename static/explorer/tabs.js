/** Tabs by the keyboard, as https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ has them. */

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

/** Makes the `role="tab"` buttons of `list` show the panels that their `aria-controls` name. */
export function makeTabs(list) {
  const tabs = [...list.querySelectorAll('[role="tab"]')];

  const choose = (chosen) => {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
    }
  };

  for (const [at, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const last = tabs.length - 1;
      const to =
        { Home: 0, End: last }[event.key] ??
        (event.key in STEPS ? (at + STEPS[event.key] + tabs.length) % tabs.length : null);
      if (to === null) return;
      event.preventDefault();
      choose(tabs[to]);
      tabs[to].focus();
    });
  }
}
