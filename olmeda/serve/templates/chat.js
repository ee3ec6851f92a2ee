"use strict";
const at = (id) => document.getElementById(id);
const turns = at("turns"), form = at("form"), text = at("text"), send = at("send");
const model = at("model").textContent;
let messages = [];
let running = null;

function show(role, content) {
  const box = document.createElement("div");
  box.className = "turn " + role;
  box.textContent = content;  // never markup: models write what they like
  turns.append(box);
  turns.scrollTop = turns.scrollHeight;
  return box;
}

function note(words, kind = "note") {
  const line = document.createElement("p");
  line.className = kind;
  line.textContent = words;
  turns.append(line);
  turns.scrollTop = turns.scrollHeight;
}

function ask() {
  const body = { model, stream: true, stream_options: { include_usage: true } };
  for (const id of ["temperature", "top_p", "top_k", "min_p", "seed", "max_tokens"]) {
    if (at(id).value !== "") body[id] = Number(at(id).value);
  }
  const system = at("system").value.trim();
  body.messages = (system ? [{ role: "system", content: system }] : []).concat(messages);
  const headers = { "Content-Type": "application/json" };
  if (at("key").value) headers.Authorization = "Bearer " + at("key").value;
  return fetch("/v1/chat/completions", {
    method: "POST", headers, body: JSON.stringify(body), signal: running.signal,
  });
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const parts = held.split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      const data = part.replace(/^data: /, "");
      if (data === "[DONE]") return;
      yield JSON.parse(data);
    }
  }
}

async function answer() {
  running = new AbortController();
  send.textContent = "Stop";
  const began = performance.now();
  let box = null, said = "";
  try {
    const response = await ask();
    if (!response.ok) throw new Error((await response.json()).error.message);
    box = show("assistant", "");
    for await (const event of events(response)) {
      if (event.error) throw new Error(event.error.message);
      const choice = event.choices[0];
      if (choice && choice.delta.content) {
        said += choice.delta.content;
        const below = turns.scrollHeight - turns.scrollTop - turns.clientHeight < 40;
        box.textContent = said;
        if (below) turns.scrollTop = turns.scrollHeight;
      }
      if (choice && choice.finish_reason === "length") note("cut off: the limit of tokens or the context is reached");
      if (event.usage) {
        const seconds = (performance.now() - began) / 1000;
        const rate = (event.usage.completion_tokens / seconds).toFixed(0);
        note(`${event.usage.completion_tokens} tokens, ${rate} a second`);
      }
    }
  } catch (problem) {
    if (problem.name === "AbortError") note("stopped");
    else note(problem.message, "error");
  }
  if (said) messages.push({ role: "assistant", content: said });
  else { messages.pop(); if (box) box.remove(); }
  running = null;
  send.textContent = "Send";
  text.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) { running.abort(); return; }
  const content = text.value.trim();
  if (!content) return;
  text.value = "";
  messages.push({ role: "user", content });
  show("user", content);
  answer();
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (!running) form.requestSubmit();
  }
});
at("new").addEventListener("click", () => {
  if (running) running.abort();
  messages = [];
  turns.replaceChildren();
  text.focus();
});
