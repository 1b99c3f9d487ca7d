// A button with `data-copy="#id"` copies that element's text; one with `data-copy-text` copies the attribute.
const SHOWN_MILLISECONDS = 1500;

export async function copyOnClick(event) {
  const button = event.target.closest("[data-copy], [data-copy-text]");
  if (!button) return;
  const source = button.dataset.copy && document.querySelector(button.dataset.copy);
  const text = source ? source.textContent : button.dataset.copyText;
  const label = button.querySelector("[data-label]") ?? button;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    // Without permission the text is marked, so that the keyboard can copy it.
    if (source) getSelection().selectAllChildren(source);
    label.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (label.textContent = before), SHOWN_MILLISECONDS);
}
