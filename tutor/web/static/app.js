// Progressive enhancement only: every form and link on these pages works without this file.

const say = (text) => { document.querySelector("#say").textContent = text; };
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// -- sending, with patience --------------------------------------------------------------------------------
// Answers carry the number of their attempt, so that sending one twice records it once: a lost connection is
// simply tried again until it works.

let offline;
function showOffline(on) {
  if (on && !offline) {
    offline = document.createElement("p");
    offline.className = "notice notice-warn offline-line";
    offline.setAttribute("role", "status");
    offline.textContent = "The server does not answer. Your answer is kept here and sent as soon as it does.";
    document.body.append(offline);
  } else if (!on && offline) {
    offline.remove();
    offline = undefined;
  }
}

async function send(url, body) {
  for (let pause = 500; ; pause = Math.min(pause * 2, 8000)) {
    try {
      const response = await fetch(url, {
        method: "POST", body, credentials: "same-origin", headers: { "X-Requested-With": "fetch" },
      });
      showOffline(false);
      return response;
    } catch {
      showOffline(true);
      await wait(pause);
    }
  }
}

// -- a question in the text: answered in place -----------------------------------------------------------------

async function answer(form) {
  const place = form.querySelector("[data-error]");
  if (!form.querySelector("input[type=radio]:checked")) {
    place.textContent = "Choose an answer first.";
    place.hidden = false;
    return;
  }
  const response = await send(form.action, new FormData(form));
  const text = await response.text();
  if (!response.ok) {
    place.textContent = text;
    place.hidden = false;
    return;
  }
  const box = document.createElement("template");
  box.innerHTML = text;
  const fresh = box.content.firstElementChild;
  document.getElementById(form.dataset.answer).replaceWith(fresh);
  const verdict = fresh.querySelector("[data-verdict]");
  verdict?.focus();
  say(verdict ? `${verdict.textContent.trim()} Every option is explained below.` : "");
  for (const mark of document.querySelectorAll(`[data-done="${CSS.escape(fresh.id)}"]`)) mark.hidden = false;
  const count = response.headers.get("X-Answered");
  const line = document.querySelector("#rail-count");
  if (count && line) {
    const meter = line.parentElement.querySelector("progress");
    meter.value = Number(count);
    line.textContent = `${count} of ${meter.max} questions in the text answered`;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.matches("[data-swap]") || form.closest("[data-lab]")) return;
  if (form.dataset.busy) {
    event.preventDefault();
    return;
  }
  const button = event.submitter ?? form.querySelector("button");
  form.dataset.busy = "yes";
  button?.setAttribute("aria-busy", "true");
  const done = () => { delete form.dataset.busy; button?.removeAttribute("aria-busy"); };
  if (form.dataset.answer) {
    event.preventDefault();
    answer(form).finally(done);
  } else if (form.dataset.wrapUp) {
    event.preventDefault();
    submitAll(form, button).finally(done);
  }
});
// The back button may bring a page as it was left, with its forms still marked as busy.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-busy]")) delete form.dataset.busy;
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});

// -- wrap-up: what was chosen survives a reload and a way through the lesson -------------------------------------

async function submitAll(form, button) {
  const body = new FormData(form);
  if (button?.name) body.set(button.name, button.value);
  const response = await send(form.action, body);
  const next = response.headers.get("X-Location");
  if (next) {
    sessionStorage.removeItem(`wrap-up:${form.dataset.wrapUp}`);
    location.assign(next);
    return;
  }
  const text = await response.text();
  if (!response.headers.get("Content-Type")?.startsWith("text/html")) {
    const place = form.querySelector("[data-error]");
    place.textContent = text;
    place.hidden = false;
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
  document.querySelector("[data-focus]")?.focus();
  window.scrollTo(0, 0);
}

for (const form of document.querySelectorAll("form[data-wrap-up]")) {
  const key = `wrap-up:${form.dataset.wrapUp}`;
  const kept = JSON.parse(sessionStorage.getItem(key) || "{}");
  for (const [name, value] of Object.entries(kept)) {
    const input = [...form.elements].find((e) => e.name === name && e.value === value);
    if (input && ![...form.elements].some((e) => e.name === name && e.checked)) input.checked = true;
  }
}
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-wrap-up]");
  if (form && event.target.type === "radio") {
    const chosen = [...form.querySelectorAll("input:checked")].map((i) => [i.name, i.value]);
    sessionStorage.setItem(`wrap-up:${form.dataset.wrapUp}`, JSON.stringify(Object.fromEntries(chosen)));
  }
});

// -- where the reader is: marked in the contents, kept for the next visit -----------------------------------------

const lesson = document.querySelector("[data-lesson]");
if (lesson) {
  const links = new Map([...lesson.querySelectorAll(".rail a")].map((a) => [a.hash.slice(1), a]));
  const places = [...lesson.querySelectorAll("[data-place]")];
  let current;
  const mark = () => {
    const line = window.innerHeight * 0.3;
    const last = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 4;
    const here = last ? places.at(-1) : places.filter((p) => p.getBoundingClientRect().top <= line).at(-1) ?? places[0];
    if (!here || here === current) return;
    links.get(current?.id)?.removeAttribute("aria-current");
    links.get(here.id)?.setAttribute("aria-current", "location");
    current = here;
    localStorage.setItem(`place:${lesson.dataset.lesson}`, here.id);
  };
  let due = false;
  window.addEventListener("scroll", () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; mark(); });
  }, { passive: true });
  mark();
}
for (const link of document.querySelectorAll("[data-resume]")) {
  const place = localStorage.getItem(`place:${link.dataset.resume}`);
  if (place && !link.hash) link.hash = place;
}

// -- definitions on hover and focus; Escape closes, and the definition itself may be hovered ------------------------

let pop;
let closing;
const close = () => { pop?.remove(); pop = undefined; };
function open(link) {
  clearTimeout(closing);
  if (pop?.dataset.of === link.hash) return;
  const entry = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (!entry) return;
  close();
  pop = document.createElement("div");
  pop.className = "term-pop";
  pop.id = "term-pop";
  pop.dataset.of = link.hash;
  pop.setAttribute("role", "tooltip");
  const name = document.createElement("strong");
  name.textContent = entry.querySelector("dt").firstChild.textContent.trim();
  const text = document.createElement("span");
  const source = entry.querySelector("dd").cloneNode(true);
  source.querySelector(".see")?.remove();
  text.append(...source.childNodes);
  pop.append(name, text);
  document.querySelector("main").append(pop);
  link.setAttribute("aria-describedby", "term-pop");
  const at = link.getBoundingClientRect();
  const width = document.documentElement.clientWidth;
  const left = Math.max(16, Math.min(at.left, width - pop.offsetWidth - 16));
  const below = at.bottom + pop.offsetHeight + 12 < window.innerHeight;
  pop.style.left = `${left + window.scrollX}px`;
  pop.style.top = `${(below ? at.bottom + 6 : at.top - pop.offsetHeight - 6) + window.scrollY}px`;
  pop.addEventListener("pointerenter", () => clearTimeout(closing));
  pop.addEventListener("pointerleave", later);
}
function later() { clearTimeout(closing); closing = setTimeout(close, 200); }
const term = (event) => event.target.closest?.("a.term");
document.addEventListener("pointerover", (e) => { const a = term(e); if (a && e.pointerType === "mouse") open(a); });
document.addEventListener("pointerout", (e) => { if (term(e)) later(); });
document.addEventListener("focusin", (e) => { const a = term(e); if (a?.matches(":focus-visible")) open(a); });
document.addEventListener("focusout", (e) => { const a = term(e); if (a) { a.removeAttribute("aria-describedby"); close(); } });
document.addEventListener("keydown", (e) => { if (e.key === "Escape") close(); });

// -- small things ----------------------------------------------------------------------------------------------

for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = time.textContent;
  time.textContent = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(time.dateTime));
}
