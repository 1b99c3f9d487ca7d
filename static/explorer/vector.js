/** A vector as a picture. */

const SVG = "http://www.w3.org/2000/svg";
// Of the picture, in its own units; the page stretches it.
const WIDTH = 384;
const HEIGHT = 48;

/** A bar for each value, up or down from the middle. Where there is no room for all, the largest of neighbours. */
export function drawVector(vector) {
  const most = Math.max(...vector.map(Math.abs)) || 1;
  const bars = vector.length > WIDTH ? gather(vector, WIDTH) : vector;
  const step = WIDTH / bars.length;
  const middle = HEIGHT / 2;
  const line = bars.map((value, at) => {
    const height = (-value / most) * (middle - 1);
    return `M${((at + 0.5) * step).toFixed(2)} ${middle}v${height.toFixed(2)}`;
  });
  const [least, greatest] = [Math.min(...vector), Math.max(...vector)].map((value) => value.toFixed(3));
  const label = `Its ${vector.length} values, from ${least} to ${greatest}`;
  const shape = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  const path = element("path", { d: line.join(""), "stroke-width": (step * 0.8).toFixed(2) });
  return element("svg", { class: "vector-bars", role: "img", "aria-label": label, ...shape }, path);
}

function gather(vector, places) {
  return Array.from({ length: places }, (_, at) => {
    const [from, to] = [at, at + 1].map((place) => Math.floor((place * vector.length) / places));
    return vector.slice(from, to).reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most));
  });
}

function element(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
