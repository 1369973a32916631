// What every page needs: toasts, questions and dialogs, submit guard, htmx manners, menus. No inline handlers: all is delegated.
"use strict";
(() => {
  const english = document.documentElement.lang === "en";
  const words = english
    ? { close: "Close", failed: "That did not work. Please try again.", offline: "No connection. Check the network and try again.",
        code: "Code: ", unsaved: "You have unsaved changes." }
    : { close: "关闭", failed: "没有成功，请再试一次。", offline: "网络不通，请检查网络后再试。", code: "编号：", unsaved: "还有内容没有保存。" };
  const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content || "";

  // ---- elements ----
  const spriteAddress = document.querySelector("svg.icon use")?.getAttribute("href")?.split("#")[0] || "/static/icons.svg";
  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${spriteAddress}#${name}`);
    svg.append(use);
    return svg;
  }
  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  }

  // ---- toasts ----
  function toast({ text, hint, tone = "good", code, link }) {
    if (!text) return;
    const region = document.getElementById("toasts") || Object.assign(make("div", "toasts"), { id: "toasts", role: "status", ariaLive: "polite" });
    // A modal dialog lies above everything that is not inside it.
    const place = document.querySelector("dialog[open]") || document.body;
    if (region.parentNode !== place) {
      place.append(region);
      if (place !== document.body) place.addEventListener("close", () => document.body.append(region), { once: true });
    }
    const box = make("div", `toast toast-${/^(good|info|warn|bad)$/.test(tone) ? tone : "info"}`);
    const body = make("div");
    if (link && link.startsWith("/")) {
      const anchor = make("a", "", text);
      anchor.href = link;
      body.append(anchor);
    } else body.append(text);
    if (hint) body.append(make("small", "", hint));
    if (code) body.append(make("small", "", words.code + code));
    const close = make("button", "icon-button");
    close.type = "button";
    close.setAttribute("aria-label", words.close);
    close.append(icon("close"));
    close.addEventListener("click", () => box.remove());
    box.append(icon(tone === "good" ? "check" : tone === "info" ? "info" : "warn"), body, close);
    region.append(box);
    while (region.children.length > 4) region.firstElementChild.remove();
    // A failure stays until it is read; what went well goes by itself.
    if (tone === "good" || tone === "info") setTimeout(() => box.remove(), 6000);
  }
  document.addEventListener("tongban:toast", (event) => toast(event.detail || {}));

  function waitingToast() {
    const message = document.getElementById("toasts")?.dataset.message;
    if (!message) return;
    try {
      toast(JSON.parse(message));
    } catch (problem) {
      console.warn("unreadable message", problem);
    }
  }

  // ---- dialogs ----
  // Resolves to whether the reader agreed. Esc and the backdrop mean no.
  function ask(text, danger = false) {
    const dialog = document.getElementById("ask");
    const [no, yes] = dialog.querySelectorAll(".dialog-foot button");
    dialog.querySelector("#ask-text").textContent = text;
    yes.classList.toggle("button-danger", danger);
    yes.classList.toggle("button-primary", !danger);
    dialog.returnValue = "no";
    no.onclick = () => dialog.close("no");
    yes.onclick = () => dialog.close("yes");
    dialog.showModal();
    (danger ? no : yes).focus();
    return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
  }
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialog);
      opener.closest("details.menu")?.removeAttribute("open");
      if (dialog && !dialog.open) dialog.showModal();
    }
    if (event.target.closest("[data-close-dialog]")) event.target.closest("dialog")?.close();
    if (event.target.nodeName === "DIALOG" && event.detail) {
      const box = event.target.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      // A form half filled in must not be lost by a click beside it.
      if (!inside && !event.target.querySelector("form")) event.target.close();
    }
    if (event.target.closest("[data-back]")) history.length > 1 ? history.back() : location.assign("/");
    const language = event.target.closest("[data-language]");
    if (language) {
      document.cookie = `tongban-lang=${language.dataset.language}; Max-Age=31536000; path=/; SameSite=Lax`;
      location.reload();
    }
    for (const open of document.querySelectorAll("details.menu[open]")) if (!open.contains(event.target)) open.removeAttribute("open");
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const open = document.querySelector("details.menu[open]");
      if (open) {
        open.removeAttribute("open");
        open.querySelector("summary").focus();
      }
    }
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.nodeName) || event.target.isContentEditable;
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("[data-shortcut='/']");
      if (search?.offsetParent) {
        event.preventDefault();
        search.focus();
      }
    }
  });

  // ---- forms: ask first, send once ----
  const agreed = new WeakSet();
  const dirty = new Set();
  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    const question = button?.dataset.confirm || form.dataset.confirm;
    if (question && !agreed.has(form)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      ask(question, button?.classList.contains("button-danger")).then((yes) => {
        if (!yes) return;
        agreed.add(form);
        form.requestSubmit(button || undefined);
      });
      return;
    }
    agreed.delete(form);
    if (!("once" in form.dataset)) return;
    if (form.dataset.sending) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    form.dataset.sending = "1";
    dirty.delete(form);
    // After the browser has collected the fields: a disabled button would not send its name.
    setTimeout(() => setBusy(form, button, true), 0);
  }, true);
  function setBusy(form, button, busy) {
    if (!busy) delete form.dataset.sending;
    for (const one of form.querySelectorAll("button[type=submit], button:not([type])")) {
      busy ? one.setAttribute("aria-disabled", "true") : one.removeAttribute("aria-disabled");
      busy && one === button ? one.setAttribute("aria-busy", "true") : one.removeAttribute("aria-busy");
    }
  }
  // Coming back by the back button, the form must be usable again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.querySelectorAll("form[data-sending]")) setBusy(form, null, false);
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-guard]");
    if (form) dirty.add(form);
  });
  window.addEventListener("beforeunload", (event) => {
    for (const form of dirty) if (form.isConnected) event.preventDefault();
  });

  // ---- htmx ----
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRF-Token"] = meta("csrf");
    if (event.target.matches?.("form[data-prune]")) {
      const kept = event.detail.formData ?? event.detail.parameters;
      for (const name of [...new Set(kept.keys?.() ?? [])]) if (!kept.get(name)) kept.delete(name);
    }
  });
  document.addEventListener("htmx:confirm", (event) => {
    const element = event.detail.elt;
    const question = element.nodeName !== "FORM" && element.dataset.confirm;
    if (!question) return;
    event.preventDefault();
    ask(question, element.classList.contains("button-danger")).then((yes) => yes && event.detail.issueRequest(true));
  });
  function newRequestId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt.closest?.("form");
    if (!form) return;
    setBusy(form, null, false);
    // An answer below 500 settled that request: the next one is another. After 5xx or silence the same id makes a repetition safe.
    const status = event.detail.xhr?.status || 0;
    const id = form.querySelector("input[name=request_id]");
    if (id && status >= 200 && status < 500) id.value = newRequestId();
    if (status >= 200 && status < 300 && form.method === "post") form.closest("dialog[open]")?.close();
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    if (status === 401) location.assign(`/auth/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    // The kit's own errors bring their toast as an event; anything else (the edge, a proxy) gets a plain sentence.
    else if (!event.detail.xhr.getResponseHeader("HX-Trigger")) toast({ text: words.failed, tone: "bad" });
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, () => toast({ text: words.offline, tone: "bad" }));

  // ---- Chinese input: a search waits until the characters stand ----
  document.addEventListener("input", (event) => {
    if (event.isComposing) event.stopPropagation();
  }, true);
  document.addEventListener("compositionend", (event) => event.target.dispatchEvent(new Event("input", { bubbles: true })));

  // ---- small things ----
  document.addEventListener("change", (event) => {
    const all = event.target.dataset?.checkAll;
    if (all) for (const box of event.target.closest("table").querySelectorAll(`input[name="${CSS.escape(all)}"]`)) box.checked = event.target.checked;
    if (event.target.closest(".filter")) event.target.classList.toggle("chosen", Boolean(event.target.value));
  });
  window.tongban = { toast, ask, icon, make, meta, english, markDirty: (form) => form && dirty.add(form) };
  document.addEventListener("DOMContentLoaded", () => {
    waitingToast();
    document.querySelector("[data-focus]")?.focus();
    if ("serviceWorker" in navigator && meta("stream")) {
      navigator.serviceWorker.register("/sw.js").catch((problem) => console.info("no service worker:", problem.message));
    }
  });
})();
