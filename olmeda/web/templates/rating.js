"use strict";
const state = JSON.parse(document.getElementById("state").textContent);
const values = { ...state.values }, reasons = { ...state.reasons };
const status = document.getElementById("status");
let touched = Object.keys(values).length > 0, saving = Promise.resolve(), unsaved = false;
let watch = performance.now(), spent = 0;

const sets = new Map(state.dimensions.map((d) => [
  d.key, { ...d, box: document.querySelector(`fieldset[data-key="${d.key}"]`) },
]));
const round = (x) => Math.round(x * 1e6) / 1e6;
const shown = (x) => (round(x) === 0 ? "0" : String(round(x)).replace("-", "−"));

document.addEventListener("visibilitychange", () => {
  if (document.hidden) spent += performance.now() - watch;
  watch = performance.now();
});

function secondsSpent() {
  if (!document.hidden) spent += performance.now() - watch;
  watch = performance.now();
  return spent / 1000;
}

function tell(words, wrong) {
  status.textContent = words;
  status.classList.toggle("wrong", Boolean(wrong));
}

// A penalty counts only with its reason: until then it is neither sent nor done.
function sendable() {
  const said = {}, why = {};
  for (const d of sets.values()) {
    const value = values[d.key] ?? (d.kind === "penalty" ? 0 : undefined);
    if (value === undefined) continue;
    if (d.kind === "penalty" && value !== 0) {
      if (!(reasons[d.key] || "").trim()) continue;
      why[d.key] = reasons[d.key].trim();
    }
    said[d.key] = value;
  }
  return { values: said, reasons: why };
}

function draw() {
  for (const d of sets.values()) {
    const value = values[d.key];
    if (d.kind === "scale") {
      for (const button of d.box.querySelectorAll("button")) {
        button.setAttribute("aria-checked", String(Number(button.dataset.value) === value));
      }
      continue;
    }
    const taken = value ?? 0, input = d.box.querySelector("input");
    d.box.querySelector("output").textContent = shown(taken);
    d.box.querySelector('[data-step="1"]').disabled = taken >= d.high;
    d.box.querySelector('[data-step="-1"]').disabled = taken <= d.low;
    input.hidden = taken === 0;
    input.classList.toggle("wanted", taken !== 0 && !(reasons[d.key] || "").trim());
  }
  const all = { ...state.elsewhere, ...sendable().values };
  const keys = Object.keys(state.weights), missing = keys.filter((k) => all[k] === undefined);
  const sum = keys.reduce((s, k) => s + state.weights[k] * (all[k] ?? 0), 0);
  const total = document.getElementById("total");
  total.textContent = touched ? shown(sum) : "–";
  document.getElementById("missing").textContent =
    touched && missing.length ? `so far, without ${missing.join(", ")}` : "";
}

async function post() {
  const body = JSON.stringify({ ...sendable(), seconds: secondsSpent() });
  spent = 0;
  try {
    const answer = await fetch(state.url, {
      method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: true,
    });
    const found = answer.headers.get("content-type")?.startsWith("application/json")
      ? await answer.json() : { error: `the server answered ${answer.status}` };
    if (!answer.ok) throw new Error(found.error);
    unsaved = false;
    document.getElementById("done").textContent = found.done;
    document.getElementById("bar").value = found.done;
    tell(found.answered ? "saved" : `saved; ${wanting()}`, false);
  } catch (problem) {
    tell(`not saved: ${problem.message}. Keep this page open and try again.`, true);
  }
}

function wanting() {
  const open = [...sets.values()];
  const unexplained = open.find((d) => d.kind === "penalty" && values[d.key] && !(reasons[d.key] || "").trim());
  if (unexplained) return `say why ${unexplained.name} takes off ${shown(-values[unexplained.key])}`;
  const unanswered = open.find((d) => d.kind === "scale" && values[d.key] === undefined);
  return unanswered ? `${unanswered.name} is still open` : "";
}

function changed() {
  touched = unsaved = true;
  draw();
  saving = saving.then(post);
}

function step(d, sign) {
  const next = round((values[d.key] ?? 0) + sign * d.step);
  if (next < d.low || next > d.high) return;
  values[d.key] = next;
  if (next === 0) {
    delete reasons[d.key];
    d.box.querySelector("input").value = "";
  }
  changed();
}

// Leaving waits for the last save, and for the reason of a penalty: without it the penalty is lost.
async function go(url) {
  if (!url) return;
  const unexplained = document.querySelector("input.wanted");
  if (unexplained) {
    unexplained.focus();
    tell(wanting(), true);
    return;
  }
  await saving;
  if (unsaved) await post();
  if (!unsaved) location.href = url;
}

for (const d of sets.values()) {
  if (d.kind === "scale") {
    for (const button of d.box.querySelectorAll("button")) {
      button.addEventListener("click", () => { values[d.key] = Number(button.dataset.value); changed(); });
    }
    continue;
  }
  for (const button of d.box.querySelectorAll("button")) {
    button.addEventListener("click", () => step(d, Number(button.dataset.step)));
  }
  const input = d.box.querySelector("input");
  input.value = reasons[d.key] || "";
  let waiting = 0;
  input.addEventListener("input", () => {
    reasons[d.key] = input.value;
    unsaved = true;
    draw();
    clearTimeout(waiting);
    waiting = setTimeout(changed, 400);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      input.blur();
    }
  });
}

document.getElementById("form").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("next").addEventListener("click", (event) => { event.preventDefault(); go(state.next); });
document.getElementById("back").addEventListener("click", (event) => { event.preventDefault(); go(state.back); });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "INPUT") return;
  const key = event.key.toLowerCase();
  const scales = [...sets.values()].filter((d) => d.kind === "scale");
  const scale = scales.find((d) => d.box.contains(document.activeElement))
    || scales.find((d) => values[d.key] === undefined) || scales[0];
  if (scale && /^[0-9]$/.test(key) && Number(key) >= scale.low && Number(key) <= scale.high) {
    values[scale.key] = Number(key);
    changed();
  } else if (event.key === "ArrowRight" || (event.key === "Enter" && !event.target.closest("button, a"))) {
    event.preventDefault();
    go(state.next);
  } else if (event.key === "ArrowLeft") {
    event.preventDefault();
    go(state.back);
  } else {
    const d = [...sets.values()].find((s) => s.hot && s.hot === key);
    if (!d) return;
    event.preventDefault();
    step(d, event.shiftKey ? 1 : -1);
  }
});

window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
draw();
