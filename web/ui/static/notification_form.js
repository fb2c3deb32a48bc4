// Writing one notification: suggestions while one types, the preview beside, and ways to the place of a mistake.
"use strict";
(() => {
  const form = document.getElementById("notification-form");
  if (!form) return;
  const preview = document.getElementById("preview");
  const list = document.getElementById("completions");
  const said = document.getElementById("completions-said");
  const token = document.querySelector('meta[name="csrf-token"]')?.content || "";
  const value = (name) => new FormData(form).get(name) || "";

  // The preview follows what is written, when the person pauses.
  let waiting = 0;
  const soon = (delay = 500) => { clearTimeout(waiting); waiting = setTimeout(() => htmx.trigger(preview, "preview"), delay); };
  form.addEventListener("input", (event) => { if (event.target.name !== "test_to") soon(); });
  form.addEventListener("change", (event) => { if (event.target.name !== "test_to") soon(100); });

  // What is half written is not wrong yet: a mistake in the field that one writes in is shown when one pauses.
  let typed = 0;
  form.addEventListener("input", (event) => { if (event.target === document.activeElement) typed = Date.now(); });
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const active = document.activeElement;
    if (active?.id && event.target.id === active.id + "-wrong" && Date.now() - typed < 1800 && event.detail.fragment.textContent.trim()) {
      event.detail.shouldSwap = false;
      soon(1800);
    }
  });

  // The HTML of a message goes into its frame by a form of its own: under a policy that lets it do nothing.
  const frames = (within) => within.querySelectorAll("iframe[data-html]").forEach((frame) => {
    const post = document.createElement("form");
    Object.assign(post, { method: "post", action: "/notifications/preview/html", target: frame.name, hidden: true });
    for (const [name, text] of [["csrf_token", token], ["html", frame.dataset.html]]) {
      post.append(Object.assign(document.createElement("input"), { type: "hidden", name, value: text }));
    }
    document.body.append(post);
    post.submit();
    post.remove();
  });
  document.addEventListener("toggle", (event) => { if (event.target.matches?.("#preview details")) frames(event.target); }, true);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "preview") {
      frames(preview);
      form.querySelectorAll(".nf-wrong").forEach((place) => {
        const field = document.getElementById(place.id.replace(/-wrong$/, ""));
        if (field && field.matches("input, textarea")) { if (place.textContent.trim()) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid"); }
      });
    }
    if (document.getElementById("notification-fields") && event.detail.requestConfig?.path === "/notifications/form") { prepare(); soon(50); }
  });
  frames(preview);

  // The answer to "Look" appears below the button, perhaps out of sight: it is shown, and its first line is said.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.requestConfig?.path !== "/notifications/compare") return;
    const answer = document.getElementById("comparison");
    answer.scrollIntoView({ block: "nearest" });
    said.textContent = answer.querySelector("p")?.textContent || "";
  });

  // A test goes to an address of the channel.
  form.addEventListener("change", (event) => {
    const to = document.getElementById("f-test_to");
    if (event.target.name !== "channel" || !to) return;
    const email = event.target.value === "email";
    if (to.value.includes("@") !== email) to.value = email ? to.dataset.email : "";
    to.placeholder = email ? "you@example.com" : "+12025550123";
  });

  // What was sent back is not saved: leaving asks.
  if (form.hasAttribute("data-unsaved")) form.dispatchEvent(new Event("input", { bubbles: true }));
  document.getElementById("problem-list")?.focus();

  const insert = (field, text, from, to) => {
    field.focus();
    field.setSelectionRange(from, to);
    // execCommand keeps the browser's own undo; a browser without it gets the text all the same.
    if (!document.execCommand?.("insertText", false, text)) {
      field.setRangeText(text, from, to, "end");
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };
  document.addEventListener("click", (event) => {
    const example = event.target.closest("[data-inserts]");
    if (example) {
      const field = document.getElementById(example.dataset.into);
      const text = example.dataset.inserts;
      if (field.id === "f-conditions") insert(field, (field.value.trim() ? "\n" : "") + text, field.value.trim() ? field.value.length : 0, field.value.length);
      else insert(field, text, field.selectionStart, field.selectionEnd);
    }
    const goes = event.target.closest("[data-goes]");
    if (goes) {
      const field = document.getElementById(goes.dataset.goes);
      field.closest("details")?.setAttribute("open", "");
      // Places are counted in characters, selections in units of UTF-16.
      const characters = [...field.value];
      const start = characters.slice(0, Number(goes.dataset.start)).join("").length;
      const length = characters.slice(Number(goes.dataset.start), Number(goes.dataset.start) + Number(goes.dataset.length)).join("").length;
      field.focus();
      field.setSelectionRange(start, start + length);
    }
    const jump = event.target.closest('.problems a[href^="#"], #comparison a[href^="#"]');
    if (jump) {
      const field = document.getElementById(decodeURIComponent(jump.hash.slice(1)));
      if (!field) return;
      event.preventDefault();
      for (let part = field.closest("details"); part; part = part.parentElement?.closest("details")) part.open = true;
      field.scrollIntoView({ block: "center" });
      (field.matches("input, select, textarea") ? field : field.querySelector("input, select, textarea, button"))?.focus();
    }
  });

  // Suggestions. One list serves all fields; it stands below the field, or below the cursor of a text.
  let field = null, items = [], replace = 0, chosen = -1, moved = false, asked = 0, asking = 0;
  const attributes = () => {
    const open = !list.hidden && field;
    if (field) {
      if (field.matches("input")) field.setAttribute("aria-expanded", String(Boolean(open)));
      if (open && chosen >= 0) field.setAttribute("aria-activedescendant", "completion-" + chosen); else field.removeAttribute("aria-activedescendant");
    }
  };
  const close = () => { clearTimeout(asking); asked++; list.hidden = true; items = []; chosen = -1; attributes(); };
  const mark = (index, byKey = false) => {
    chosen = index; moved = byKey;
    [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === chosen)));
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
    attributes();
  };
  const mirror = document.createElement("div");
  mirror.className = "nf-mirror";
  mirror.setAttribute("aria-hidden", "true");
  document.body.append(mirror);
  const caret = (area) => {
    const style = getComputedStyle(area);
    for (const name of ["fontFamily", "fontSize", "fontWeight", "lineHeight", "letterSpacing", "padding", "borderWidth", "boxSizing"]) mirror.style[name] = style[name];
    mirror.style.width = area.clientWidth + "px";
    mirror.textContent = area.value.slice(0, area.selectionStart);
    const end = mirror.appendChild(document.createElement("span"));
    end.textContent = "​";
    return { left: end.offsetLeft - area.scrollLeft, top: end.offsetTop - area.scrollTop + end.offsetHeight };
  };
  const place = () => {
    const box = field.getBoundingClientRect();
    let left = box.left, top = box.bottom;
    if (field.matches("textarea")) { const at = caret(field); left = box.left + at.left; top = Math.min(box.bottom, box.top + at.top + 4); }
    list.style.left = Math.max(8, Math.min(left, innerWidth - list.offsetWidth - 8)) + scrollX + "px";
    list.style.top = top + scrollY + 2 + "px";
  };
  const offer = (answer) => {
    items = answer.items; replace = answer.replace; chosen = -1;
    if (!items.length) { close(); return; }
    list.replaceChildren(...items.map((item, index) => {
      const option = Object.assign(document.createElement("div"), { id: "completion-" + index });
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.append(Object.assign(document.createElement("code"), { textContent: item.text }));
      const about = [item.label, item.type].filter(Boolean).join(" · ");
      if (about) option.append(" ", Object.assign(document.createElement("span"), { className: "quiet", textContent: about }));
      return option;
    }));
    list.hidden = false;
    place();
    // What is written already stays what Enter takes.
    if (field.matches("textarea, [data-complete=template], [data-complete=recipient]")) mark(Math.max(0, items.findIndex((item) => item.text === field.value)));
    said.textContent = items.length === 1 ? "1 suggestion" : items.length + " suggestions";
    attributes();
  };
  const ask = (delay = 120) => {
    clearTimeout(asking);
    const mine = ++asked, target = field;
    asking = setTimeout(async () => {
      const of = target.dataset.of;
      const body = new URLSearchParams({ kind: target.dataset.complete, channel: value("channel"), model: of ? value(of) : value("model"), field: value("value_change_field"), text: target.value.slice(0, target.selectionStart) });
      try {
        const answer = await fetch("/notifications/complete", { method: "POST", body, headers: { "X-CSRF-Token": token } });
        if (answer.ok && mine === asked && document.activeElement === target) offer(await answer.json());
      } catch { close(); }
    }, delay);
  };
  const take = (index) => {
    const item = items[index], target = field;
    if (!item) return;
    const end = target.selectionStart;
    // replace counts characters; whatever is replaced are names, whose characters are one unit each.
    const whole = target.matches("[data-complete=row], [data-complete=recipient], [data-complete=path], [data-complete=field], [data-complete=value]");
    let text = item.text;
    if (item.more && !text.endsWith("(") && /^(one of|many) |^$/.test(item.type || "") || item.more && target.dataset.complete !== "template" && /^(one of|many) /.test(item.type || "")) text += ".";
    else if (item.more && ["doc", "old_doc", "notif", "loop"].includes(text)) text += ".";
    else if (item.more && target.matches("[data-complete=template], [data-complete=condition]") && !text.endsWith("(")) text += item.label ? "." : " ";
    close();
    insert(target, text, whole ? 0 : end - replace, whole ? target.value.length : end);
    if (text.endsWith(".")) { field = target; ask(0); } else close();
  };
  const prepare = () => form.querySelectorAll("[data-complete]").forEach((input) => {
    if (input.matches("input")) { input.setAttribute("role", "combobox"); input.setAttribute("aria-expanded", "false"); }
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", "completions");
  });
  prepare();
  form.addEventListener("input", (event) => {
    if (!event.target.matches("[data-complete]")) return;
    field = event.target;
    ask();
  });
  // A field that holds one thing offers what there is as soon as one is in it.
  form.addEventListener("focusin", (event) => {
    if (!event.target.matches("input[data-complete]:not([data-complete=template])") || event.target.value) return;
    field = event.target;
    ask(0);
  });
  form.addEventListener("focusout", () => setTimeout(() => { if (document.activeElement !== field) close(); }, 150));
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => { const option = event.target.closest("[role=option]"); if (option) take([...list.children].indexOf(option)); });
  form.addEventListener("keydown", (event) => {
    const open = !list.hidden && event.target === field;
    if (event.target.matches("[data-complete]") && (event.ctrlKey && event.key === " " || !open && event.altKey && event.key === "ArrowDown")) {
      event.preventDefault(); field = event.target; ask(0); return;
    }
    if (open && !event.isComposing) {
      switch (event.key) {
        case "ArrowDown": event.preventDefault(); mark((chosen + 1) % items.length, true); return;
        case "ArrowUp": event.preventDefault(); mark((chosen + items.length - (chosen < 0 ? 0 : 1)) % items.length, true); return;
        case "Escape": event.preventDefault(); close(); return;
        case "Enter": if (chosen >= 0) { event.preventDefault(); take(chosen); return; } break;
        // Who passes an empty field by fills nothing in.
        case "Tab": if (chosen >= 0 && !event.shiftKey && (moved || field.value)) { event.preventDefault(); take(chosen); return; } break;
      }
    }
    // Enter in a field of one line must not press a button that happens to stand first.
    if (event.key === "Enter" && event.target.matches("input:not([type=checkbox], [type=radio])")) { event.preventDefault(); soon(0); }
  });
  addEventListener("resize", close);
  // A mistake that appears above the field moves it.
  new ResizeObserver(() => { if (!list.hidden) place(); }).observe(form);
  addEventListener("scroll", () => { if (!list.hidden) place(); }, { passive: true, capture: true });
})();
