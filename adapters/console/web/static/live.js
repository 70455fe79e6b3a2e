// live.js keeps a page as the server would render it now. One EventSource a tab says that something has happened; the
// page is then asked for again and what differs is patched in, so that the server alone knows what things look like.
const pill = document.getElementById("live");
const quiet = 400; // ms between an event and the look; what happens meanwhile is in it
const crowd = 1000; // the same while one event follows the other: nobody reads faster, and the daemon has a storm to mind
const pulse = 5000; // ms between two looks when nothing happens: ages and counters go on
let frozen = false, due = 0, pace = quiet, looked = 0, busy = false, again = false, up = false;

export const state = {
  get frozen() { return frozen; },
  freeze() { frozen = !frozen; say(); if (!frozen) look(); },
  look: () => look(),
};

function say() {
  if (!pill) return;
  const [word, tone] = frozen ? ["frozen", "warn"] : up ? ["live", "good"] : ["looking for the daemon", "bad"];
  const mark = { good: "●", warn: "▲", bad: "✕" }[tone];
  if (pill.dataset.live === word) return;
  pill.dataset.live = word;
  pill.className = "pill " + tone;
  pill.textContent = mark + " " + word;
}

// still: pages that are a question, or that are being written still, stay as they are.
const still = location.pathname === "/act" || document.querySelector("main form.ask, #tapped") || new URLSearchParams(location.search).has("refresh");

async function look() {
  if (still || frozen || document.hidden) return;
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (answer.redirected) { location.reload(); return; }
    if (!frozen && answer.status !== 503) show(await answer.text());
  } catch {
    up = false; say();
  }
  busy = false;
  if (again) { again = false; soon(); }
}

function show(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const id of ["top", "nav", "main", "foot"]) {
    const here = document.getElementById(id), there = fresh.getElementById(id);
    if (here && there) patch(here, there);
  }
  document.dispatchEvent(new CustomEvent("fresh"));
}

// patch makes a like b and keeps what is the same: focus, selection, open details, marks and what is being typed.
function patch(a, b) {
  if (a.isEqualNode(b) || a.hasAttribute?.("data-keep") || a.id === "live" || a.id === "copy") return;
  for (const { name, value } of [...b.attributes]) if (a.getAttribute(name) !== value && name !== "class") a.setAttribute(name, value);
  for (const { name } of [...a.attributes]) if (!b.hasAttribute(name) && !["open", "class", "tabindex", "hidden"].includes(name)) a.removeAttribute(name);
  const kept = ["cursor", "changed"].filter((c) => a.classList.contains(c));
  const classes = [b.getAttribute("class"), ...kept].filter(Boolean).join(" ");
  if ((a.getAttribute("class") || "") !== classes) a.setAttribute("class", classes);
  if (a.tagName === "INPUT") return;
  const byId = new Map();
  for (const child of a.children) if (child.id) byId.set(child.id, child);
  let at = a.firstChild;
  for (const want of [...b.childNodes]) {
    const same = want.id ? byId.get(want.id) : at && !at.id && at.nodeName === want.nodeName ? at : null;
    if (!same) {
      const added = document.importNode(want, true);
      a.insertBefore(added, at);
      continue;
    }
    if (same !== at) a.insertBefore(same, at);
    else at = at.nextSibling;
    if (same.nodeType === Node.ELEMENT_NODE) update(same, want);
    else if (same.data !== want.data) same.data = want.data;
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

// update patches, and lets a row whose state changed light up.
function update(same, want) {
  if (same.tagName === "TR" && same.dataset.standing !== want.dataset.standing) {
    same.classList.add("changed");
    setTimeout(() => same.classList.remove("changed"), 2000);
  }
  patch(same, want);
}

function soon() {
  if (due) return;
  pace = Date.now() - looked > 2 * crowd ? quiet : Math.min(2 * pace, crowd);
  due = setTimeout(() => { due = 0; looked = Date.now(); look(); }, pace);
}

function follow(seq) {
  const source = new EventSource((document.body.dataset.api || "/v1/") + "stream?since=" + encodeURIComponent(seq));
  let last = seq;
  source.onopen = () => { const back = !up; up = true; say(); if (back) soon(); };
  source.onmessage = (e) => { last = e.lastEventId || last; soon(); };
  source.addEventListener("reset", soon);
  source.onerror = () => {
    up = false; say();
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(last), 2000); // the browser has given up; we have not
  };
}

if (pill && !still) {
  say();
  follow(document.body.dataset.seq || "0");
  setInterval(look, pulse);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
}

// Another host is shown as soon as it is chosen; without a script there is a button.
document.getElementById("nodes")?.addEventListener("change", (e) => e.target.form.requestSubmit());
