"use strict";

/** The newest records of one queue as they come. Lines are foreign: they become text, never markup. */
const tail = {
  /** Lines kept, and characters of each. */
  mostLines: 500,
  mostCharacters: 4000,
  /** Characters a second that are read; a faster queue is skipped through, so that neither this page nor the server does work for nobody. */
  mostCharactersPerSecond: 2 << 20,

  queue: "",
  /** Where to go on; empty for the newest. */
  place: "",
  isPaused: false,
  opener: null,
  abort: null,
  pending: [],
  skipped: 0,
  drawing: false,

  open(queue) {
    tail.stop();
    tail.queue = queue;
    tail.place = "";
    tail.pending = [];
    tail.skipped = 0;
    if (!document.getElementById("tail").contains(document.activeElement)) tail.opener = document.activeElement;
    setText(document.getElementById("tail-title"), `Tail of ${queue}`);
    document.getElementById("tail").hidden = false;
    document.getElementById("tail-lines").replaceChildren();
    tail.setPaused(false);
    document.getElementById("tail-lines").focus({ preventScroll: true });
  },

  close() {
    tail.stop();
    document.getElementById("tail").hidden = true;
    tail.opener?.focus();
  },

  setPaused(isPaused) {
    tail.isPaused = isPaused;
    const button = document.getElementById("tail-pause");
    button.setAttribute("aria-pressed", String(isPaused));
    if (isPaused) {
      tail.stop();
      tail.say("paused; it goes on where it was");
    } else {
      tail.start();
    }
  },

  stop() {
    tail.abort?.abort();
    tail.abort = null;
  },

  say(text) {
    setText(document.getElementById("tail-state"), text);
  },

  async start() {
    tail.stop();
    const abort = new AbortController();
    tail.abort = abort;
    let wait = 1000;
    tail.say("connecting");
    while (!abort.signal.aborted) {
      let isTooFast = false;
      const turn = new AbortController();
      const end = () => turn.abort();
      abort.signal.addEventListener("abort", end);
      let second = Math.floor(performance.now() / 1000);
      let characters = 0;
      try {
        const place = tail.place || "newest";
        await listen(`/v1/queues/${encodeURIComponent(tail.queue)}/stream?offset=${encodeURIComponent(place)}`, turn.signal, (type, data) => {
          if (turn.signal.aborted) return;
          if (type === "records") {
            tail.place = data.next;
            for (const line of data.lines) {
              characters += line.length;
              tail.add(line);
            }
            const now = Math.floor(performance.now() / 1000);
            if (now !== second) [second, characters] = [now, 0];
            if (characters > tail.mostCharactersPerSecond) {
              isTooFast = true;
              end();
            }
          } else if (type === "gap") {
            tail.place = data.next;
            tail.add(`${format.count(data.records)} records were lost here (${data.reason})`, true);
          } else if (type === "heartbeat") {
            tail.place = data.next;
          } else if (type === "error") {
            tail.add(data.detail, true);
          }
        }, () => {
          wait = 1000;
          tail.say(tail.place ? "live" : "live; nothing came yet");
        });
        if (!abort.signal.aborted) tail.say("the server ended the stream; trying again");
      } catch (error) {
        if (abort.signal.aborted) return;
        if (!isTooFast) {
          // What it stood at is gone, or means another record by now.
          if (error instanceof Refusal && error.status === 410) {
            tail.place = "";
            tail.add("what came next is not kept any more; going on with the newest", true);
            continue;
          }
          if (error instanceof Refusal && error.status < 500 && error.status !== 429) {
            tail.say(error.message);
            return;
          }
          tail.say("no connection; trying again");
        }
      } finally {
        abort.signal.removeEventListener("abort", end);
      }
      if (isTooFast) {
        tail.add("more comes than is shown: some is skipped here", true);
        tail.place = "";
        await pause(1000, abort.signal);
      } else {
        await pause(wait, abort.signal);
        wait = Math.min(wait * 2, 10000);
      }
    }
  },

  add(line, isMark = false) {
    tail.pending.push({ line, isMark });
    if (tail.pending.length > tail.mostLines) {
      tail.skipped += tail.pending.length - tail.mostLines;
      tail.pending.splice(0, tail.pending.length - tail.mostLines);
    }
    if (tail.drawing) return;
    tail.drawing = true;
    requestAnimationFrame(tail.draw);
  },

  draw() {
    tail.drawing = false;
    const box = document.getElementById("tail-lines");
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    const fragment = document.createDocumentFragment();
    if (tail.skipped > 0) {
      tail.pending.unshift({ line: `${format.count(tail.skipped)} lines were passed over`, isMark: true });
      tail.skipped = 0;
    }
    for (const { line, isMark } of tail.pending) {
      const element = document.createElement("div");
      if (isMark) element.className = "mark-line";
      element.textContent = line.length > tail.mostCharacters ? `${line.slice(0, tail.mostCharacters)}… (${format.count(line.length)} characters)` : line;
      fragment.append(element);
    }
    tail.pending = [];
    box.append(fragment);
    while (box.childElementCount > tail.mostLines) box.firstElementChild.remove();
    if (isAtEnd) box.scrollTop = box.scrollHeight;
    if (!tail.isPaused) tail.say("live");
  },

  begin() {
    document.getElementById("tail-pause").addEventListener("click", () => tail.setPaused(!tail.isPaused));
    document.getElementById("tail-clear").addEventListener("click", () => document.getElementById("tail-lines").replaceChildren());
    document.getElementById("tail-close").addEventListener("click", tail.close);
    document.getElementById("tail").addEventListener("keydown", (event) => {
      if (event.key === "Escape") tail.close();
    });
  },
};
