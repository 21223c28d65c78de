"use strict";

/** The token in this tab, if one is in use: gone when the tab is closed, sent to nobody but this server. */
const token = {
  get value() {
    return sessionStorage.getItem("sluice-token") ?? "";
  },
  set value(text) {
    if (text) sessionStorage.setItem("sluice-token", text);
    else sessionStorage.removeItem("sluice-token");
  },
};

/** A request that was refused, with the problem's own words. */
class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `the server answered with status ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
  }
}

/** An answer that is no refusal. */
async function request(path, type, signal) {
  const headers = { Accept: type };
  if (token.value) headers.Authorization = `Bearer ${token.value}`;
  const answer = await fetch(path, { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" });
  if (answer.ok) return answer;
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // Not ours: a proxy's, say.
  }
  throw new Refusal(answer.status, problem);
}

/** One answer of JSON. */
async function ask(path, signal) {
  return (await request(path, "application/json", signal)).json();
}

/**
 * Server-Sent Events by `fetch`, which can send a token where `EventSource` can't. Calls `take(type, data, id)` for each event and returns when the server
 * ends the stream.
 */
async function listen(path, signal, take, opened = () => {}) {
  const answer = await request(path, "text/event-stream", signal);
  opened();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { type: "message", data: [], id: "" };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    let start = 0;
    for (;;) {
      const end = rest.indexOf("\n", start);
      if (end < 0) break;
      const line = rest.slice(start, rest[end - 1] === "\r" ? end - 1 : end);
      start = end + 1;
      if (line === "") {
        if (event.data.length > 0) take(event.type, JSON.parse(event.data.join("\n")), event.id);
        event = { type: "message", data: [], id: "" };
        continue;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const text = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
      if (name === "event") event.type = text;
      else if (name === "data") event.data.push(text);
      else if (name === "id") event.id = text;
    }
    rest = rest.slice(start);
  }
}

/** Waits, unless `signal` ends it. */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
