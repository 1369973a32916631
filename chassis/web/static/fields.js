// Fields with a life of their own: pickers of people and units, drop zones, opinions, growing text.
"use strict";
(() => {
  const { icon, make, english, markDirty } = window.tongban;

  // ---- pickers: a combobox after the ARIA pattern; the focus stays in the text field ----
  class Picker {
    constructor(root) {
      this.root = root;
      this.input = root.querySelector(".picker-input");
      this.list = root.querySelector(".picker-list");
      this.chips = root.querySelector(".chips");
      this.status = root.querySelector("[data-picker-status]");
      this.multiple = "multiple" in root.dataset;
      this.active = -1;
      this.asked = 0;
      this.input.addEventListener("input", () => this.later());
      this.input.addEventListener("focus", () => this.search());
      this.input.addEventListener("keydown", (event) => this.key(event));
      this.input.addEventListener("blur", () => setTimeout(() => this.leave(), 0));
      // mousedown, so that the text field does not lose the focus first
      this.list.addEventListener("mousedown", (event) => event.preventDefault());
      this.list.addEventListener("click", (event) => this.choose(event.target.closest("[role=option]")));
      this.chips.addEventListener("click", (event) => {
        const chip = event.target.closest(".chip-remove")?.closest(".chip");
        if (chip) this.remove(chip);
      });
      root.querySelector(".picker-box").addEventListener("click", (event) => {
        if (!event.target.closest(".chip")) this.input.focus();
        if (this.list.hidden && document.activeElement === this.input) this.search();
      });
      this.check();
    }
    chosen() {
      return [...this.chips.querySelectorAll("input")].map((one) => one.value);
    }
    later() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.search(), 180);
    }
    async search() {
      const turn = ++this.asked;
      const address = `${this.root.dataset.picker}&q=${encodeURIComponent(this.input.value.trim())}`;
      try {
        const answer = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
        if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
        const text = await answer.text();
        if (turn !== this.asked || document.activeElement !== this.input) return;
        // Our own server's fragment, escaped there; the parser runs no scripts.
        this.list.replaceChildren(...new DOMParser().parseFromString(`<ul>${text}</ul>`, "text/html").querySelector("ul").children);
      } catch (problem) {
        console.warn("picker", problem);
        if (turn !== this.asked) return;
        this.list.replaceChildren(make("li", "pick-none", this.root.dataset.failed));
      }
      this.show();
    }
    options() {
      return [...this.list.querySelectorAll("[role=option]")];
    }
    show() {
      const chosen = this.chosen();
      this.options().forEach((option, index) => {
        option.id = `${this.list.id}-${index}`;
        const taken = chosen.includes(option.dataset.value);
        option.setAttribute("aria-selected", String(taken));
        option.classList.toggle("pick-chosen", taken);
      });
      this.list.hidden = false;
      this.input.setAttribute("aria-expanded", "true");
      this.status.textContent = `${this.options().length} ${this.root.dataset.count}`;
      this.mark(this.options().length && this.input.value.trim() ? 0 : -1);
    }
    hide() {
      // An answer still on its way must not open the list again.
      this.asked++;
      clearTimeout(this.timer);
      this.list.hidden = true;
      this.input.setAttribute("aria-expanded", "false");
      this.input.removeAttribute("aria-activedescendant");
    }
    leave() {
      if (document.activeElement === this.input) return;
      this.asked++;
      this.hide();
      this.input.value = "";
    }
    mark(index) {
      this.active = index;
      this.options().forEach((option, at) => option.classList.toggle("pick-active", at === index));
      const option = this.options()[index];
      if (!option) return this.input.removeAttribute("aria-activedescendant");
      this.input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    }
    key(event) {
      const count = this.options().length;
      if (event.isComposing) return;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (this.list.hidden) return void this.search();
        const step = event.key === "ArrowDown" ? 1 : -1;
        if (count) this.mark(this.active < 0 && step < 0 ? count - 1 : (this.active + step + count) % count);
      } else if (event.key === "Enter") {
        // Never sends the form: Enter means the marked entry.
        event.preventDefault();
        if (!this.list.hidden && this.active >= 0) this.choose(this.options()[this.active]);
      } else if (event.key === "Escape" && !this.list.hidden) {
        event.preventDefault();
        event.stopPropagation();
        this.hide();
      } else if (event.key === "Backspace" && !this.input.value && this.chips.lastElementChild) {
        this.remove(this.chips.lastElementChild);
      }
    }
    choose(option) {
      if (!option) return;
      const { value, label } = option.dataset;
      const already = [...this.chips.querySelectorAll("input")].find((one) => one.value === value);
      if (already) this.remove(already.closest(".chip"));
      else {
        if (!this.multiple) this.chips.replaceChildren();
        this.chips.append(this.chip(value, label));
        this.changed();
      }
      this.input.value = "";
      this.input.focus();
      if (this.multiple) this.search();
      else this.hide();
    }
    chip(value, label) {
      const chip = make("li", "chip");
      const field = make("input");
      Object.assign(field, { type: "hidden", name: this.root.dataset.name, value });
      const remove = make("button", "chip-remove");
      remove.type = "button";
      remove.setAttribute("aria-label", `${this.root.dataset.remove} ${label}`);
      remove.append(icon("close"));
      chip.append(field, icon(this.root.dataset.picker.includes("kind=person") ? "person" : "unit"), make("span", "", label), remove);
      return chip;
    }
    remove(chip) {
      chip.remove();
      this.changed();
      this.input.focus();
      if (!this.list.hidden) this.show();
    }
    changed() {
      this.check();
      markDirty(this.root.closest("form[data-guard]"));
      this.root.dispatchEvent(new Event("change", { bubbles: true }));
    }
    check() {
      const missing = this.root.dataset.required && !this.chosen().length;
      this.input.setCustomValidity(missing ? this.root.dataset.required : "");
    }
  }

  // ---- drop zones: several files, taken out again one by one ----
  function size(bytes) {
    if (bytes < 1024) return `${bytes} B`;
    return bytes < 1048576 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
  }
  function dropZone(zone) {
    const input = zone.querySelector("input"), list = zone.parentElement.querySelector("[data-drop-list]");
    const most = Number(zone.dataset.max || 0);
    let kept = [];
    const write = () => {
      const transfer = new DataTransfer();
      for (const file of kept) transfer.items.add(file);
      input.files = transfer.files;
      const big = kept.filter((file) => most && file.size > most);
      input.setCustomValidity(big.length ? zone.dataset.tooBig : "");
      for (const old of list.querySelectorAll("[data-new]")) old.remove();
      for (const file of kept) {
        const bad = most && file.size > most;
        const row = make("li", bad ? "drop-item drop-bad" : "drop-item");
        row.dataset.new = "";
        const remove = make("button", "icon-button");
        remove.type = "button";
        remove.setAttribute("aria-label", `${zone.dataset.remove} ${file.name}`);
        remove.append(icon("close"));
        remove.addEventListener("click", () => {
          kept = kept.filter((one) => one !== file);
          write();
          input.focus();
        });
        row.append(icon(bad ? "warn" : "file"), make("span", "drop-name", file.name),
          make("span", "drop-size", bad ? `${size(file.size)} · ${zone.dataset.tooBig}` : size(file.size)), remove);
        list.append(row);
      }
    };
    input.addEventListener("change", () => {
      const fresh = [...input.files].filter((file) => !kept.some((one) => one.name === file.name && one.size === file.size));
      kept = input.multiple ? [...kept, ...fresh] : [...input.files].slice(0, 1);
      write();
    });
    // The invisible input covers the zone, so the browser itself takes the drop; this only shows where.
    for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, () => zone.classList.add("drop-over"));
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("drop-over"));
  }

  // ---- text ----
  function grow(area) {
    if (CSS.supports("field-sizing", "content")) return;
    area.style.height = "auto";
    if (area.scrollHeight > area.clientHeight) area.style.height = `${Math.min(area.scrollHeight + 4, 640)}px`;
  }
  function count(area) {
    const place = area.id && document.querySelector(`[data-counter="${CSS.escape(area.id)}"]`);
    if (!place) return;
    place.textContent = `${area.value.length} / ${area.maxLength}${english ? "" : " 字"}`;
    place.classList.toggle("counter-near", area.value.length > area.maxLength * 0.9);
  }
  document.addEventListener("input", (event) => {
    if (event.target.matches("textarea[data-grow]")) grow(event.target);
    if (event.target.matches("textarea")) count(event.target);
  });
  document.addEventListener("click", (event) => {
    const phrase = event.target.closest("[data-phrase]");
    if (!phrase) return;
    const area = phrase.closest("[data-opinion]").querySelector("textarea");
    const text = phrase.dataset.phrase;
    // A phrase takes the place of another phrase, but never of what somebody wrote.
    const stock = [...phrase.parentElement.querySelectorAll("[data-phrase]")].map((one) => one.dataset.phrase);
    const before = stock.includes(area.value.trim()) ? "" : area.value.trimEnd();
    area.value = before + text;
    area.focus();
    const gap = area.value.indexOf("…", before.length);
    gap < 0 ? area.setSelectionRange(area.value.length, area.value.length) : area.setSelectionRange(gap, gap + 1);
    area.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // ---- begin, also for what htmx brings later ----
  function begin(root) {
    const every = (selector, start) => {
      const found = [...root.querySelectorAll(selector)];
      if (root.matches?.(selector)) found.push(root);
      for (const one of found) {
        if (one.dataset.begun) continue;
        one.dataset.begun = "1";
        start(one);
      }
    };
    every("[data-picker]", (one) => new Picker(one));
    every("[data-drop]", dropZone);
    every("textarea[data-grow]", (one) => { grow(one); count(one); });
    every("textarea[maxlength]", count);
  }
  document.addEventListener("DOMContentLoaded", () => begin(document.body));
  document.addEventListener("htmx:load", (event) => begin(event.detail.elt));
})();
