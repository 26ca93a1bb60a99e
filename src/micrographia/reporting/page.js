// Tables that filter and sort, one open run at a time, the theme, copying, enlarged figures, and where in the page the reader is.
function setUpTable(box) {
  const [body, output, search] = ["tbody", "output", "input"].map((name) => box.querySelector(name));
  const heads = [...box.querySelectorAll("thead th")];
  const titles = heads.map((head) => head.textContent);
  const selects = [...box.querySelectorAll("select")];
  const rows = [...body.rows];
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = selects.every((select) => !select.value || row.cells[titles.indexOf(select.dataset.column)].textContent === select.value);
      row.hidden = !(fits && words.every((word) => text.includes(word)));
    }
    const left = rows.filter((row) => !row.hidden).length;
    output.value = left === rows.length ? `${left} rows` : left ? `${left} of ${rows.length} rows` : "no row fits";
  };
  const sort = (column) => {
    const head = heads[column];
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => row.cells[column].dataset.order ?? row.cells[column].textContent;
    const isNumber = (text) => text !== "" && Number.isFinite(Number(text));
    const compared = (a, b) => {
      if (isNumber(a) && isNumber(b)) return sign * (a - b);
      if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1; // what has no number stands last
      return sign * a.localeCompare(b, "en", { numeric: true });
    };
    body.append(...rows.sort((a, b) => compared(key(a), key(b))));
  };
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => sort(column)));
  for (const control of search ? [search, ...selects] : []) control.addEventListener("input", filter);
}
for (const box of document.querySelectorAll(".table.sortable")) setUpTable(box);

const runs = [...document.querySelectorAll(".run")];
for (const run of runs) {
  run.addEventListener("toggle", () => {
    if (run.open) for (const other of runs) if (other !== run) other.open = false;
  });
}
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const run = named?.closest(".run");
  if (!run) return;
  for (const other of runs) other.open = other === run;
  named.scrollIntoView();
}
addEventListener("hashchange", openNamed);
openNamed();

const toggle = document.getElementById("theme");
const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const showTheme = () => {
  toggle.setAttribute("aria-pressed", dark());
  dispatchEvent(new Event("themechange"));
};
toggle.addEventListener("click", () => {
  const theme = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("micrographia-theme", theme); } catch (error) { /* a page opened from a file may not keep anything */ }
  showTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
showTheme();

for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch (error) {
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
}

const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const image = button.querySelector("img").cloneNode();
    image.style.setProperty("--wide", `${image.getAttribute("width")}px`);
    dialog.querySelector("div").replaceChildren(image);
    dialog.showModal();
  });
}
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

const contents = document.querySelector("nav");
const links = [...contents.querySelectorAll("a")];
const places = links.map((link) => document.getElementById(link.hash.slice(1)));
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let current = null;
const follow = () => {
  const past = places.filter((place) => place.getBoundingClientRect().top < 160);
  const link = links[Math.max(0, past.length - 1)];
  if (!link || link === current) return;
  current?.removeAttribute("aria-current");
  current = link;
  link.setAttribute("aria-current", "true");
  contents.scrollTo({ // a bar on phones, a column beside the text elsewhere: the entry comes to its middle
    left: link.offsetLeft - (contents.clientWidth - link.offsetWidth) / 2,
    top: link.offsetTop - (contents.clientHeight - link.offsetHeight) / 2,
    behavior: calm.matches ? "instant" : "smooth",
  });
};
addEventListener("scroll", follow, { passive: true });
follow();
