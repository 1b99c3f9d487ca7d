// Tabs by the ARIA pattern (https://www.w3.org/WAI/ARIA/apg/patterns/tabs/): arrows move, and a choice with a name
// (`data-tabs="language"`) is remembered for all tabs of that name.
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

export function setUpTabs(root) {
  const tabs = [...root.querySelectorAll('[role="tab"]')];
  const show = (tab, { focus = false } = {}) => {
    for (const one of tabs) {
      const chosen = one === tab;
      one.setAttribute("aria-selected", String(chosen));
      one.tabIndex = chosen ? 0 : -1;
      document.getElementById(one.getAttribute("aria-controls")).hidden = !chosen;
    }
    if (focus) tab.focus();
  };
  const choose = (tab, options) => {
    show(tab, options);
    remember(root.dataset.tabs, tab.dataset.value);
  };
  for (const tab of tabs) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step) return;
      event.preventDefault();
      choose(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length], { focus: true });
    });
  }
  const before = recall(root.dataset.tabs);
  show(tabs.find((tab) => tab.dataset.value === before) ?? tabs[0]);
}

function remember(name, value) {
  if (!name) return;
  try {
    localStorage.setItem(`tabs:${name}`, value);
  } catch {
    // Then the first tab it is, next time.
  }
}

function recall(name) {
  try {
    return name ? localStorage.getItem(`tabs:${name}`) : null;
  } catch {
    return null;
  }
}
