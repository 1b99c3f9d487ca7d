// Marks in the list of headings the one that is being read.
const links = new Map(
  [...document.querySelectorAll('[aria-labelledby="on-this-page"] a')].map((link) => [link.hash.slice(1), link]),
);
const headings = [...links.keys()].map((id) => document.getElementById(id));
// Pixels from the top, below the header.
const READING_LINE = 120;

function mark() {
  const passed = headings.filter((heading) => heading.getBoundingClientRect().top < READING_LINE);
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const current = atEnd && scrollY > 0 ? headings.at(-1) : passed.at(-1);
  for (const [id, link] of links) {
    if (current?.id === id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

let waiting = false;
addEventListener(
  "scroll",
  () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      mark();
    });
  },
  { passive: true },
);
mark();
