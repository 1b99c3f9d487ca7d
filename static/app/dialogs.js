// A link with `data-dialog` opens its page's form in the dialog `#panel`. Where that fails, it is a link.
const dialog = document.querySelector("#panel");

async function open(link) {
  const response = await fetch(link.href, { headers: { "X-Fragment": "dialog" } });
  // Who was signed out meanwhile is redirected, to a page and not to a part of one.
  if (!response.ok || response.redirected) throw new Error(`${response.status}`);
  dialog.firstElementChild.innerHTML = await response.text();
  dialog.showModal();
  // Rather than the part that scrolls, which comes before it.
  dialog.querySelector("form :is(input:not([type=hidden]), select)")?.focus();
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && dialog && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    try {
      await open(link);
    } catch {
      location.assign(link.href);
    }
  } else if (dialog?.open && event.target.closest("[data-close]")) {
    event.preventDefault();
    dialog.close();
  }
});

// A field with `data-expected` takes that text alone.
document.addEventListener("input", ({ target }) => {
  const { expected } = target.dataset;
  if (expected) target.setCustomValidity(target.value.trim() === expected ? "" : `Type “${expected}” here.`);
});
