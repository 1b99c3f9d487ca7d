// The page that shows a new key.
import { saveKey } from "../explorer/memory.js";

// It is the answer to a form: a reload shows the list of keys, and does not send that again.
history.replaceState(null, "", "/keys/");

// "Try it" hands the key to the explorer in this browser alone.
for (const link of document.querySelectorAll("[data-try-key]")) {
  link.addEventListener("click", () => saveKey(document.querySelector(link.dataset.tryKey).textContent.trim()));
}
