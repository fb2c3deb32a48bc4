// Lists: all that match, and further rows of a saved list. The pages work without it.
"use strict";
(() => {
  // "All that match" ticks what is to be seen; who then takes one out means single ones again.
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-choosing]");
    const all = form?.querySelector("[data-all-matching]");
    if (!all) return;
    if (event.target === all) {
      const boxes = [...form.querySelectorAll('input[name="id"]')];
      boxes.forEach((box) => { box.checked = all.checked; });
      boxes[0]?.dispatchEvent(new Event("change", { bubbles: true }));
    } else if (!event.target.checked) {
      all.checked = false;
    }
  });

  const adder = document.querySelector("[data-adds-row]");
  if (adder) {
    adder.hidden = false;
    adder.addEventListener("click", () => {
      const rows = document.querySelectorAll(".entries tbody tr");
      const row = rows[rows.length - 1].cloneNode(true);
      row.querySelectorAll(".wrong").forEach((place) => place.remove());
      row.querySelectorAll("input").forEach((input) => {
        input.removeAttribute("aria-invalid");
        input.removeAttribute("aria-describedby");
        if (input.type === "checkbox") { input.checked = false; input.value = String(rows.length); } else input.value = "";
        input.setAttribute("aria-label", input.getAttribute("aria-label").replace(/\d+$/, String(rows.length + 1)));
      });
      rows[rows.length - 1].after(row);
      row.querySelector("input").focus();
    });
  }
})();
