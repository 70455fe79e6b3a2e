// keys.js gives the pages the letters of the terminal. They rest while somebody types.
import { state } from "./live.js";
import { copyPage } from "./copy.js";

const rows = () => [...document.querySelectorAll("tr[data-href], .concerns li[data-href], #rows tbody tr")];
const on = () => document.querySelector("tr.cursor, li.cursor");
const go = (href) => { if (href) location.assign(href); };
const link = (key) => document.querySelector(`main [data-key="${CSS.escape(key)}"], #nav [data-key="${CSS.escape(key)}"]`);
const follow = (element) => { if (!element) return false; element.click(); return true; };

function move(to) {
  const all = rows();
  if (!all.length) return;
  const old = on();
  const next = all[Math.max(0, Math.min(all.length - 1, to(old ? all.indexOf(old) : -1, all.length)))];
  old?.classList.remove("cursor");
  next.classList.add("cursor");
  (next.querySelector("a") || next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

// targets are the marked deckies, else the row, else nothing: then the page's own button does it.
function targets() {
  const marked = [...document.querySelectorAll("#marked input[name=target]:checked")].map((x) => x.value);
  const row = on();
  if (marked.length) return { names: marked };
  if (row?.dataset.actor) return { names: [row.dataset.actor], actors: true };
  return row?.dataset.name ? { names: [row.dataset.name] } : { names: [] };
}

function act(verb, key) {
  const { names, actors } = targets();
  if (!names.length) return follow(link(key));
  const row = on();
  if (verb === "pause" && row?.dataset.standing === "paused") verb = "resume";
  if (verb === "quarantine" && row?.dataset.standing === "quarantined") verb = "release";
  const q = new URLSearchParams({ verb, back: location.pathname + location.search });
  for (const n of names) q.append("target", n);
  if (actors) q.set("actors", "1");
  go("/act?" + q);
}

function subject() {
  const row = on();
  if (row?.dataset.actor) return row.dataset.actor;
  return row?.dataset.name ? "decky/" + row.dataset.name : "";
}

function sort(key) {
  const head = document.querySelector(`th a[data-sort="${key}"]`);
  return follow(head);
}

function nextSort() {
  const heads = [...document.querySelectorAll("th a[data-sort]")];
  const i = heads.findIndex((h) => h.closest("th").hasAttribute("aria-sort"));
  follow(heads[(i + 1) % heads.length]);
}

function command() {
  const box = document.createElement("dialog"), form = document.createElement("form"), input = document.createElement("input");
  input.setAttribute("aria-label", "command: a page, and a filter");
  input.placeholder = "deckies web-*";
  form.method = "dialog";
  form.append(input);
  box.append(form);
  form.addEventListener("submit", () => {
    const [page, ...rest] = input.value.replace(/^:/, "").trim().split(/\s+/);
    const known = { overview: "/", q: "/" }[page] || "/" + encodeURIComponent(page);
    const filter = rest.join(" ");
    if (page) go(known + (filter ? (page === "events" ? "?target=" : "?filter=") + encodeURIComponent(filter) : ""));
  });
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

const half = () => Math.max(1, Math.floor(innerHeight / 66));
const plain = {
  j: () => move((i) => i + 1), ArrowDown: () => move((i) => i + 1), k: () => move((i) => i - 1), ArrowUp: () => move((i) => i - 1),
  g: () => move(() => 0), G: () => move((_, n) => n - 1),
  Enter: () => { const row = on(); if (row?.contains(document.activeElement) || !row) return false; go(row.dataset.href); },
  d: () => go(on()?.dataset.href), Escape: () => history.back(), "-": () => history.back(), "[": () => history.back(), "]": () => history.forward(),
  "/": () => { const f = document.getElementById("filter"); if (!f) return false; f.focus(); f.select(); },
  ":": command, "?": () => go("/help"), f: () => state.freeze(), x: () => go("/actors"), w: () => follow(link("w")),
  s: nextSort, N: () => sort("name"), S: () => sort("state"), A: () => sort("changed"), M: () => sort("mailbox"),
  n: () => follow(document.querySelector("a[rel=next]")), p: () => follow(document.querySelector("a[rel=prev]")) || document.getElementById("crashes")?.scrollIntoView(),
  e: () => { const n = on()?.dataset.name; return n ? go("/events?target=" + encodeURIComponent(n)) : follow(link("e")); },
  l: () => { const s = subject(); return s ? go("/logs?actor=" + encodeURIComponent(s)) : follow(link("l")); },
  t: () => { const s = subject(); return s ? go("/taps?actor=" + encodeURIComponent(s)) : follow(link("t")); },
  y: copyPage, r: () => act("resync", "r"), R: () => act("restart", "R"), P: () => act("pause", "P"), Q: () => act("quarantine", "Q"),
  " ": () => { const box = on()?.querySelector("input[type=checkbox]"); if (!box) return false; box.checked = !box.checked; move((i) => i + 1); },
};
const withControl = {
  d: () => move((i) => i + half()), u: () => move((i) => i - half()), k: () => act("kill", "kill"), z: () => follow(link("faults")),
  "\\": () => document.querySelectorAll("#marked input:checked").forEach((x) => { x.checked = false; }), r: () => state.look(),
};

const typing = (x) => x.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog");

document.addEventListener("keydown", (e) => {
  if (e.defaultPrevented || e.altKey || e.metaKey) return;
  if (typing(e.target)) { if (e.key === "Escape" && !e.target.closest("dialog")) e.target.blur(); return; }
  if (!e.ctrlKey && e.key >= "0" && e.key <= "9" && e.key.length === 1) { if (follow(link(e.key))) e.preventDefault(); return; }
  const does = (e.ctrlKey ? withControl : plain)[e.key];
  if (does && does() !== false) e.preventDefault();
});

// A click anywhere on a row opens it; the link in it stays for those who want another tab.
document.addEventListener("click", (e) => {
  const row = e.target.closest?.("tr[data-href], li[data-href]");
  if (!row || e.defaultPrevented || e.target.closest("a, button, input, label, summary, .mark") || String(getSelection())) return;
  go(row.dataset.href);
});
