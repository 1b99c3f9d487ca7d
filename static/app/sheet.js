// Links with `data-sheet` open beside the page: the article of the page that they lead to is shown in a dialog. Without
// this script, with a modifier key, or where it cannot be fetched, they are links as any other.
const sheet = document.getElementById("sheet");
const content = sheet?.querySelector("[data-sheet-content]");

if (sheet) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-sheet]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open(link.href);
  });
  // A click on the dialog itself is one beside what it holds.
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) sheet.close();
  });
}

async function open(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    // Signed out meanwhile: the login has no article.
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const article = page.querySelector("article[data-sheet-article]");
    if (!answer.ok || !article) throw new Error(`no article at ${address}`);
    content.replaceChildren(withoutHeadingOfThePage(document.importNode(article, true)));
  } catch {
    location.assign(address);
    return;
  }
  sheet.querySelector("[data-sheet-page]").href = address;
  sheet.showModal();
  sheet.scrollTop = 0;
}

// A page has one heading of the first level, and this one has it already.
function withoutHeadingOfThePage(article) {
  for (const first of article.querySelectorAll("h1")) {
    const second = document.createElement("h2");
    second.className = first.className;
    second.append(...first.childNodes);
    first.replaceWith(second);
  }
  return article;
}
