"use strict";

/** Keeps the page live: listens to the status, tells when it has gone stale, asks for a token where one is needed. */
const page = {
  /** Without anything for so long, what is shown is stale, although the connection may seem open. */
  patience: 4000,
  lastTime: null,
  staleTimer: 0,
  isTurning: false,
  abort: null,

  async run() {
    let wait = 1000;
    for (;;) {
      page.abort = new AbortController();
      page.isTurning = false;
      try {
        if (document.hidden) {
          // A browser has six connections for one server, over all tabs: one that nobody sees holds none.
          page.show(await ask("/v1/status", page.abort.signal));
          wait = 1000;
          await pause(5000, page.abort.signal);
          continue;
        }
        await listen("/v1/status", page.abort.signal, (type, status) => {
          if (type !== "status") return;
          wait = 1000;
          page.show(status);
        });
        page.stale("the server ended the connection");
      } catch (error) {
        if (page.isTurning) continue;
        if (error instanceof Refusal && (error.status === 401 || error.status === 403)) {
          await page.askForToken(error);
          continue;
        }
        page.stale(error instanceof Refusal ? error.message : "no connection");
      }
      await pause(wait * (0.75 + Math.random() / 2));
      wait = Math.min(wait * 2, 10000);
    }
  },

  show(status) {
    page.lastTime = new Date();
    clearTimeout(page.staleTimer);
    if (!document.hidden) {
      page.staleTimer = setTimeout(() => {
        page.stale("nothing comes");
        page.abort.abort();
      }, page.patience);
    }
    document.body.classList.remove("stale");
    setState(document.getElementById("connection"), "good");
    setText(document.getElementById("connection-text"), "live");
    queues.show(status, performance.now() / 1000);
    page.title();
  },

  stale(why) {
    clearTimeout(page.staleTimer);
    document.body.classList.add("stale");
    setState(document.getElementById("connection"), "bad");
    setText(
      document.getElementById("connection-text"), page.lastTime ? `stale since ${format.clock(page.lastTime)}: ${why}; trying again` : `${why}; trying again`);
    page.title();
  },

  title() {
    const count = queues.attentionCount;
    const title = document.body.classList.contains("stale") ? "stale: Sluice" : count > 0 ? `(${count}) Sluice` : "Sluice";
    if (document.title !== title) document.title = title;
  },

  /** Returns when there is a token to try. */
  async askForToken(refusal) {
    const form = document.getElementById("token-form");
    setText(document.getElementById("token-reason"), token.value ? refusal.message : "Its queues are shown to those who have one.");
    setState(document.getElementById("connection"), "warn");
    setText(document.getElementById("connection-text"), "needs a token");
    form.hidden = false;
    document.getElementById("token").focus();
    await new Promise((resolve) => {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        token.value = document.getElementById("token").value.trim();
        document.getElementById("token").value = "";
        resolve();
      }, { once: true });
    });
    form.hidden = true;
    document.getElementById("forget-token").hidden = !token.value;
    document.getElementById("main").focus();
  },

  begin() {
    const button = document.getElementById("forget-token");
    button.hidden = !token.value;
    button.addEventListener("click", () => {
      token.value = "";
      location.reload();
    });
    document.addEventListener("visibilitychange", () => {
      // From listening to asking now and then, or back.
      clearTimeout(page.staleTimer);
      page.isTurning = true;
      page.abort.abort();
    });
    tail.begin();
    page.run();
  },
};

page.begin();
