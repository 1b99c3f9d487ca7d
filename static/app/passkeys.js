// Says on the page why a passkey was not made or used; allauth's own scripts tell the console alone.
const REASONS = {
  NotAllowedError: "No passkey was used: it was cancelled, or took too long. Try again.",
  InvalidStateError: "This device has a passkey for this account already.",
  NotSupportedError: "This device cannot make such a passkey.",
  SecurityError: "Passkeys do not work at this address: they need https and the name of a host, or http://localhost.",
};
const UNKNOWN = "The passkey could not be used. Try again, or sign in another way.";

document.addEventListener("allauth.error", (event) => {
  const place = document.querySelector("[data-passkey-failure]");
  if (!place) return;
  event.preventDefault();
  place.querySelector("section").textContent = REASONS[event.detail.exception?.name] ?? UNKNOWN;
  place.hidden = false;
});
