// Before the first paint, so that no page flashes in the wrong colours: the theme chosen here, else the system's.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // A browser that keeps nothing follows the system.
    }
    document.documentElement.classList.toggle("dark", chosen ? chosen === "dark" : system.matches);
  };
  apply();
  system.addEventListener("change", apply);
})();
