// What all pages of the console do beyond their HTML. Every page works without it.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const cookie = (name, value) => {
    document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=lax`;
  };
  const read = (name) => document.cookie.split("; ").find((c) => c.startsWith(name + "="))?.slice(name.length + 1);

  // The server writes times in this zone; the first visit tells it which.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && decodeURIComponent(read("silque_zone") || "") !== zone) {
    cookie("silque_zone", zone);
    if (read("silque_zone") && document.querySelector("time") && location.hash === "" && !document.querySelector("form[data-guard]")) location.reload();
  }

  // Every htmx request carries the token that forms carry.
  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector('meta[name="csrf-token"]');
    if (token) event.detail.headers["X-CSRF-Token"] = token.content;
  });
  // A refusal that is a page (a form with its mistakes, a failure) is shown like any other.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401) { event.detail.shouldSwap = false; location.reload(); return; }
    if (status === 422 || status === 409 || status === 404 || status === 400) { event.detail.shouldSwap = true; event.detail.isError = false; }
  });
  const say = (text) => {
    const place = document.getElementById("flash");
    if (!place) return;
    place.replaceChildren(Object.assign(document.createElement("div"), { className: "flash problem" }));
    place.firstChild.append(Object.assign(document.createElement("p"), { textContent: text }));
  };
  document.addEventListener("htmx:sendError", (event) => { if (!event.target.closest("[data-live]")) say("The server cannot be reached. Nothing was changed; try again in a moment."); });
  document.addEventListener("htmx:responseError", (event) => { if (!event.target.closest("[data-live]")) say("That did not work: the server answered " + event.detail.xhr.status + ". Load the page anew and try again."); });

  // Theme: the system's, light, dark.
  const themeButton = document.querySelector("[data-theme-button]");
  if (themeButton) {
    const name = () => { themeButton.querySelector("span").textContent = { light: "Light", dark: "Dark" }[root.dataset.theme] || "System theme"; };
    name();
    themeButton.addEventListener("click", () => {
      const next = { "": "light", light: "dark", dark: "" }[root.dataset.theme || ""];
      if (next) root.dataset.theme = next; else delete root.dataset.theme;
      cookie("silque_theme", next);
      name();
    });
  }

  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-toggles]");
    if (toggle) {
      const open = document.getElementById(toggle.dataset.toggles).classList.toggle("open");
      toggle.setAttribute("aria-expanded", String(open));
    }
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    const closer = event.target.closest("[data-closes]");
    if (closer) closer.closest("dialog")?.close();
    const copier = event.target.closest("[data-copies]");
    if (copier) {
      const source = document.getElementById(copier.dataset.copies);
      navigator.clipboard?.writeText(source.value ?? source.textContent).then(() => { copier.textContent = "Copied"; });
    }
    // A whole row opens what its first link opens.
    const row = event.target.closest("tr[data-row]");
    if (row && !event.target.closest("a, button, input, label, select, summary") && !String(getSelection())) row.querySelector("a[data-main], th a, a")?.click();
  });

  // Checkboxes of a list: the head's chooses all, and what acts on the chosen says how many.
  const counted = (form) => {
    const boxes = [...form.querySelectorAll('input[type="checkbox"][name="id"]')];
    const chosen = boxes.filter((box) => box.checked).length;
    const all = form.querySelector("[data-all]");
    if (all) { all.checked = chosen > 0 && chosen === boxes.length; all.indeterminate = chosen > 0 && chosen < boxes.length; }
    form.querySelectorAll("[data-chosen]").forEach((place) => { place.textContent = String(chosen); });
    form.querySelectorAll("[data-needs-chosen]").forEach((thing) => { if ("disabled" in thing) thing.disabled = chosen === 0; else thing.hidden = chosen === 0; });
  };
  const countAll = () => document.querySelectorAll("form[data-choosing]").forEach(counted);
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-choosing]");
    if (!form) return;
    if (event.target.matches("[data-all]")) form.querySelectorAll('input[type="checkbox"][name="id"]').forEach((box) => { box.checked = event.target.checked; });
    counted(form);
  });

  // Live parts ask anew while someone looks: <div data-live="3" hx-get="…" hx-trigger="live" …>. Chosen boxes stay chosen.
  let paused = false;
  const ticking = new Map();
  const tick = () => {
    if (document.hidden || paused || document.querySelector("dialog[open]")) return;
    document.querySelectorAll("[data-live]").forEach((part) => {
      const due = ticking.get(part.id) || 0;
      if (Date.now() < due || part.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox]), select, textarea")) return;
      ticking.set(part.id, Date.now() + 1000 * Number(part.dataset.live || 3));
      if (due) htmx.trigger(part, "live");
    });
  };
  setInterval(tick, 500);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-live-pause]");
    if (!button) return;
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.querySelector("span").textContent = paused ? "Paused" : "Live";
  });
  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const boxes = event.target.querySelectorAll?.('input[type="checkbox"][name="id"]:checked') || [];
    kept = { ids: new Set([...boxes].map((box) => box.value)), focus: document.activeElement?.id };
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (kept) {
      document.querySelectorAll('input[type="checkbox"][name="id"]').forEach((box) => { if (kept.ids.has(box.value)) box.checked = true; });
      if (kept.focus && document.activeElement === document.body) document.getElementById(kept.focus)?.focus();
      kept = null;
    }
    countAll();
  });

  // A form with data-guard asks before its changes are lost.
  let touched = false;
  document.addEventListener("input", (event) => { if (event.target.closest("form[data-guard]")) touched = true; });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-guard]")) touched = false;
    // One press, one request.
    const button = event.submitter;
    if (button && !event.target.hasAttribute("hx-post") && !event.target.hasAttribute("hx-get") && !event.target.matches('[method="dialog"], [method="get"]')) setTimeout(() => { button.disabled = true; setTimeout(() => { button.disabled = false; }, 4000); });
  });
  window.addEventListener("beforeunload", (event) => { if (touched) event.preventDefault(); });

  // Single keys.
  const places = { h: "/", n: "/notifications", d: "/deliveries", e: "/events", r: "/errors" };
  const off = () => localStorage.getItem("silque_shortcuts") === "off";
  const keySwitch = document.querySelector("[data-shortcuts-switch]");
  if (keySwitch) {
    keySwitch.checked = !off();
    keySwitch.addEventListener("change", () => localStorage.setItem("silque_shortcuts", keySwitch.checked ? "on" : "off"));
  }
  let going = 0;
  const step = (by) => {
    const rows = [...document.querySelectorAll("tr[data-row]")];
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
    (next.querySelector("a[data-main], th a, a") || next).focus();
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      const save = document.querySelector("[data-save]");
      if (save) { event.preventDefault(); save.click(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || off() || document.querySelector("dialog[open]") || event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
    if (Date.now() - going < 1500 && places[event.key]) { going = 0; location.assign(places[event.key]); return; }
    going = 0;
    switch (event.key) {
      case "g": going = Date.now(); break;
      case "c": location.assign("/notifications/new"); break;
      case "j": step(1); break;
      case "k": step(-1); break;
      case "/": { const search = document.querySelector('input[type="search"]'); if (search) { event.preventDefault(); search.focus(); } break; }
      case "?": event.preventDefault(); document.getElementById("shortcuts")?.showModal(); break;
    }
  });

  countAll();
})();
