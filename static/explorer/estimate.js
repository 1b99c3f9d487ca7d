/** What a call will cost, from the `pricing` of GET /v1/models. The price that is charged is the server's. */

/** Credits for `values`, the fields of a request; what they leave out is as the model's schema says. */
export function estimate(model, values) {
  const price = model.pricing;
  let credits = price.credits;
  const valueOf = (name) => values[name] ?? model.parameters.properties[name]?.default;
  if (price.seconds) credits *= valueOf("duration") / price.seconds;
  for (const [name, factors] of Object.entries(price)) {
    if (typeof factors !== "object") continue;
    const value = valueOf(name);
    credits *= factors[typeof value === "boolean" ? onOrOff(value) : value] ?? 1;
  }
  return roundUp(credits);
}

function onOrOff(value) {
  return value ? "on" : "off";
}

/** To thousandths of a credit, as the ledger does; a float's last digits are not a reason to round up. */
function roundUp(credits) {
  return Math.ceil(Number((credits * 1000).toFixed(6))) / 1000;
}
