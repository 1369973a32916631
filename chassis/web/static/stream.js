// News from the server: ONE connection per browser, whatever the number of tabs. The tab that holds the lock listens and tells the
// others. Events become DOM events on body (`tongban:todo`), so that htmx elements refresh by hx-trigger="tongban:todo from:body".
"use strict";
(() => {
  const { toast, meta } = window.tongban;
  const address = meta("stream");
  if (!address) return;
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("tongban") : null;
  const KEEP = "tongban-count";
  let last = null; // the last count, for tabs that open later
  let pause = 1000;

  function showCount(count) {
    if (typeof count !== "number") return;
    for (const place of document.querySelectorAll("[data-todo-count]")) {
      place.textContent = count > 99 ? "99+" : String(count);
      place.hidden = count === 0;
    }
    sessionStorage.setItem(KEEP, String(count));
    // On the desktop icon of the installed app as well, where that exists.
    if (navigator.setAppBadge) navigator.setAppBadge(count).catch((problem) => console.info("no badge:", problem.message));
  }

  // What came between the reading of the list that this page shows and the first count that it heard is told by nobody else.
  let first = null;
  function compare() {
    const shown = document.querySelector("[data-todo-total]");
    if (first === null || !shown) return;
    const differs = Number(shown.dataset.todoTotal) !== first;
    first = null;
    if (differs) document.body.dispatchEvent(new CustomEvent("tongban:todo", { detail: {} }));
  }

  function take(kind, data) {
    if (kind === "todo") {
      // What this page hears first only states the count, and the page is fresh. After a break the same event means: look again.
      const fresh = last === null && !data.title;
      last = data;
      showCount(data.count);
      if (fresh && typeof data.count === "number") {
        first = data.count;
        compare();
      }
      if (!fresh) document.body.dispatchEvent(new CustomEvent("tongban:todo", { detail: data }));
      if (data.title && document.visibilityState === "visible") {
        toast({ text: `${data.action ? `【${data.action}】` : ""}${data.title}`, link: data.link, tone: "info" });
      }
    } else if (kind === "notice") {
      toast({ text: data.text, link: data.link, tone: "info" });
    } else if (kind === "session-ended") {
      // Not to the login page: Keycloak might still know the person and let them in again. And not at all where the log-out itself
      // is under way, for its own answer leads on.
      if (!leaving) location.assign("/signed-out");
    }
  }

  let leaving = false;
  document.addEventListener("submit", (event) => {
    if (event.target.matches?.('form[action="/auth/logout"]')) leaving = true;
  });

  function tell(kind, data) {
    channel?.postMessage({ kind, data });
    take(kind, data);
  }

  // Settles when the connection is lost for good; the browser repairs short breaks by itself.
  function listen() {
    return new Promise((lost) => {
      const source = new EventSource(address);
      source.addEventListener("open", () => { pause = 1000; });
      for (const kind of ["todo", "notice", "session-ended"]) {
        source.addEventListener(kind, (event) => {
          let data = {};
          try {
            data = event.data ? JSON.parse(event.data) : {};
          } catch (problem) {
            console.warn("unreadable event", kind, problem);
          }
          tell(kind, data);
        });
      }
      source.addEventListener("error", () => {
        if (source.readyState !== EventSource.CLOSED) return;
        source.close();
        lost();
      });
    });
  }

  // EventSource hides the status, so a refused connection is asked once more for it: 401 means the session is over.
  async function sessionOver() {
    const stop = new AbortController();
    try {
      const answer = await fetch(address, { headers: { Accept: "text/event-stream" }, signal: stop.signal, redirect: "manual" });
      return answer.status === 401 || answer.type === "opaqueredirect";
    } catch (problem) {
      console.info("no connection:", problem.message);
      return false;
    } finally {
      stop.abort();
    }
  }

  async function keepListening() {
    for (;;) {
      await listen();
      if (await sessionOver()) {
        tell("session-ended", {});
        return;
      }
      await new Promise((done) => setTimeout(done, pause * (0.7 + Math.random() * 0.6)));
      pause = Math.min(pause * 2, 60000);
    }
  }

  channel?.addEventListener("message", ({ data }) => {
    if (data.kind === "hello") {
      if (last) channel.postMessage({ kind: "count", data: { count: last.count } });
    } else if (data.kind === "count") {
      last ??= data.data;
      showCount(data.data.count);
    } else take(data.kind, data.data);
  });
  document.addEventListener("DOMContentLoaded", () => {
    document.body.addEventListener("htmx:afterSwap", compare);
    const known = sessionStorage.getItem(KEEP);
    if (known !== null) showCount(Number(known));
    channel?.postMessage({ kind: "hello" });
    // Held until the tab closes; then the next tab gets it. Without locks (http on a bare address) every tab listens for itself.
    if (navigator.locks && channel) navigator.locks.request("tongban-stream", keepListening);
    else keepListening();
  });
})();
