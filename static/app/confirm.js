// A form with `data-confirm="id"` is sent once the dialog of that id was answered with "yes".
document.addEventListener("submit", (event) => {
  const form = event.target;
  const dialog = document.getElementById(form.dataset.confirm ?? "");
  if (!dialog) return;
  event.preventDefault();
  dialog.returnValue = "";
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && form.submit(), { once: true });
  dialog.showModal();
});
