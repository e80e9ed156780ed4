// The lab page: stages that refresh by themselves, a console, and the manifest editor.
// Every form also works as a plain form; this only keeps the learner on the page.

const root = document.querySelector("[data-lab]");
const urls = root.dataset;
const csrf = document.querySelector("meta[name=csrf-token]").content;
const say = (text) => { document.querySelector("#announce").textContent = text; };

async function send(url, body, options = {}) {
  const response = await fetch(url, {
    method: "POST", body, headers: { "X-CSRFToken": csrf, "X-Requested-With": "fetch" }, credentials: "same-origin", ...options,
  });
  if (!response.ok && !options.raw) throw new Error((await response.text()).trim() || `The server answered ${response.status}.`);
  return response;
}

// -- stages: refreshed when their revision changes; open details, focus and scroll survive --------------------

let revision = urls.revision;
let state = urls.state;

function swap(html) {
  const panel = document.querySelector("#stages");
  const before = panel.querySelector(".is-current")?.id;
  const open = new Map([...panel.querySelectorAll("details[id]")].map((d) => [d.id, d.open]));
  const chosen = [...panel.querySelectorAll("input[type=radio]:checked")].map((i) => i.id);
  const focus = panel.contains(document.activeElement) ? document.activeElement.id : "";
  panel.innerHTML = html;
  const current = panel.querySelector(".is-current")?.id;
  // A stage that begins shows itself, and the one that ended folds; all else stays as the learner left it.
  const moved = before === current ? [] : [before, current].map((id) => id?.replace("stage-", "details-"));
  if (before !== current) document.querySelector("#lab-brief").open = false;
  for (const d of panel.querySelectorAll("details[id]")) if (open.has(d.id) && !moved.includes(d.id)) d.open = open.get(d.id);
  for (const id of chosen) { const input = panel.querySelector(`#${CSS.escape(id)}`); if (input) input.checked = true; }
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  const now = panel.querySelector("[data-announce]")?.dataset.announce;
  if (now && now !== swap.said) { swap.said = now; say(now); }
}

function take(response, html) {
  const next = response.headers.get("X-Lab-State");
  revision = response.headers.get("X-Revision") ?? revision;
  if (next && next !== state) { location.reload(); return; }
  tick.seconds = Number(response.headers.get("X-Seconds-Left") ?? tick.seconds);
  swap(html);
}

async function refresh() {
  try {
    const response = await fetch(`${urls.stateUrl}?revision=${encodeURIComponent(revision)}`, { credentials: "same-origin" });
    document.body.classList.remove("offline");
    if (response.status === 200) take(response, await response.text());
    else if (response.status === 204) tick.seconds = Number(response.headers.get("X-Seconds-Left") ?? tick.seconds);
    else if (response.status === 404) location.reload();
  } catch {
    // The page keeps what it shows; the next round tries again.
    document.body.classList.add("offline");
  }
  const pause = document.hidden ? 15000 : state === "ready" ? 1500 : 500;
  setTimeout(refresh, pause);
}

root.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-swap]");
  if (!form) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  const button = event.submitter ?? form.querySelector("button");
  const body = new FormData(form);
  if (button?.name) body.set(button.name, button.value);
  form.dataset.busy = "yes";
  button?.setAttribute("aria-busy", "true");
  if (form.dataset.wait) say(form.dataset.wait);
  try {
    const response = await send(form.getAttribute("action"), body);
    take(response, await response.text());
  } catch (error) {
    say(error.message);
    const place = form.querySelector("[data-error]");
    if (place) { place.textContent = error.message; place.hidden = false; }
  } finally {
    delete form.dataset.busy;
    button?.removeAttribute("aria-busy");
  }
});

// -- time left ------------------------------------------------------------------------------------------------

function tick() {
  const place = document.querySelector("#time-left");
  if (place && Number.isFinite(tick.seconds)) {
    tick.seconds = Math.max(0, tick.seconds - 1);
    const minutes = Math.ceil(tick.seconds / 60);
    const text = minutes > 1 ? `${minutes} min left` : tick.seconds > 0 ? `${tick.seconds} s left` : "time is up";
    if (place.textContent !== text) place.textContent = text;
    place.classList.toggle("is-short", tick.seconds < 600);
  }
}
tick.seconds = Number(urls.secondsLeft);
setInterval(tick, 1000);

// -- tabs: console and editor -----------------------------------------------------------------------------------

const tabs = [...document.querySelectorAll("[role=tab]")];
function choose(tab, focus = true) {
  for (const t of tabs) {
    const on = t === tab;
    t.setAttribute("aria-selected", on);
    t.tabIndex = on ? 0 : -1;
    document.getElementById(t.getAttribute("aria-controls")).hidden = !on;
  }
  if (focus) tab.focus();
  if (tab.id === "tab-editor") openEditor();
}
for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) { event.preventDefault(); choose(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]); }
  });
}
if (tabs.length) choose(tabs[0], false);

// -- console ----------------------------------------------------------------------------------------------------

const consoleForm = document.querySelector("#console-form");
if (consoleForm) {
  const input = consoleForm.querySelector("input[name=line]");
  const screen = document.querySelector("#console-screen");
  const stop = document.querySelector("#console-stop");
  const past = JSON.parse(sessionStorage.getItem("console-history") || "[]");
  let at = past.length;
  let running = null;

  const print = (text, kind) => {
    const span = document.createElement("span");
    span.className = `console-${kind}`;
    span.textContent = text;
    const follow = screen.scrollTop + screen.clientHeight >= screen.scrollHeight - 8;
    screen.append(span);
    while (screen.childNodes.length > 2000) screen.firstChild.remove();
    if (follow || kind === "command") screen.scrollTop = screen.scrollHeight;
  };

  async function run(line) {
    print(`$ ${line}\n`, "command");
    if (line === "clear") { screen.replaceChildren(); return; }
    running = new AbortController();
    stop.hidden = false;
    try {
      const response = await send(consoleForm.getAttribute("action"), new URLSearchParams({ line }), { signal: running.signal, raw: true });
      if (!response.ok) { print(`${(await response.text()).trim()}\n`, "error"); return; }
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const json of lines) {
          const chunk = JSON.parse(json);
          if (chunk.text !== undefined) print(chunk.text, chunk.stream);
          else if (chunk.exit) print(`exit code ${chunk.exit}\n`, "exit");
        }
      }
    } catch (error) {
      print(error.name === "AbortError" ? "stopped\n" : `The connection was lost: ${error.message}\n`, "error");
    } finally {
      running = null;
      stop.hidden = true;
    }
  }

  consoleForm.addEventListener("submit", async (event) => {
    event.preventDefault();
    const line = input.value.trim();
    if (!line || running) return;
    if (past.at(-1) !== line) past.push(line);
    at = past.length;
    sessionStorage.setItem("console-history", JSON.stringify(past.slice(-200)));
    input.value = "";
    await run(line);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowUp" && at > 0) { event.preventDefault(); input.value = past[--at]; }
    else if (event.key === "ArrowDown" && at < past.length) { event.preventDefault(); input.value = past[++at] ?? ""; }
    else if (event.key === "c" && event.ctrlKey && running && !getSelection().toString()) { event.preventDefault(); running.abort(); }
  });
  stop.addEventListener("click", () => { running?.abort(); input.focus(); });
}

// -- editor -----------------------------------------------------------------------------------------------------

const editorForm = document.querySelector("#editor-form");
let editor = null;
async function openEditor() {
  if (editor || !editorForm) return;
  const area = editorForm.querySelector("textarea");
  const draft = `lab-draft:${urls.lab}`;
  area.value = localStorage.getItem(draft) ?? area.value;
  const { mount } = await import(urls.editorUrl);
  editor = mount(area, {
    label: "Manifest, YAML. Escape, then Tab, leaves the editor.", nonce: urls.nonce,
    onChange: (text) => localStorage.setItem(draft, text),
  });
}
editorForm?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = document.querySelector("#editor-result");
  const body = new FormData(editorForm, event.submitter);
  result.textContent = "Sending …";
  try {
    const response = await send(editorForm.getAttribute("action"), body, { raw: true });
    const answer = response.headers.get("Content-Type")?.includes("json")
      ? await response.json() : { ok: false, lines: [], problems: [{ line: 0, message: (await response.text()).trim() }] };
    result.replaceChildren(...[
      ...answer.lines.map((text) => [text, "ok"]),
      ...answer.problems.map((p) => [p.line ? `line ${p.line}: ${p.message}` : p.message, "bad"]),
    ].map(([text, kind]) => { const li = document.createElement("li"); li.textContent = text; li.className = `result-${kind}`; return li; }));
    editor?.setProblems(answer.problems);
    say(answer.ok ? answer.lines.join(", ") : `${answer.problems.length} problems: ${answer.problems[0]?.message}`);
  } catch (error) {
    result.textContent = `The connection was lost: ${error.message}. Your text is kept.`;
  }
});

setTimeout(refresh, state === "ready" ? 1500 : 300);
