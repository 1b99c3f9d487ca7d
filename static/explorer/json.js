/** An answer as text, without what nobody reads. */

const LONGEST = 200;
const SHOWN = 40;
const MOST_NUMBERS = 8;

/** `answer` as JSON, with base64 and long lists of numbers shortened; a text as it is. */
export function jsonText(answer) {
  if (typeof answer === "string") return answer;
  // A list of numbers on one line.
  return JSON.stringify(answer, shorten, 2).replaceAll(/"\\u0001(.*)\\u0001"/g, "[$1]");
}

function shorten(name, value) {
  if (typeof value === "string") return isBase64(value) ? `${value.slice(0, SHOWN)}… (${sizeText(value)})` : value;
  const isVector = Array.isArray(value) && value.length > MOST_NUMBERS && value.every((one) => typeof one === "number");
  if (!isVector) return value;
  return `\u0001${value.slice(0, MOST_NUMBERS).join(", ")}, … ${value.length.toLocaleString("en")} numbers\u0001`;
}

function isBase64(text) {
  return text.length > LONGEST && /^(data:[^,]+,)?[A-Za-z0-9+/]+=*$/.test(text);
}

function sizeText(base64) {
  return `${Math.ceil((base64.length * 0.75) / 1024).toLocaleString("en")} KB`;
}
