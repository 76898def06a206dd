// What hastens the console. Every page works without it.
"use strict";
(() => {
  const started = Date.now();
  const writing = (el) => el && (/^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) && el.type !== "checkbox" && el.type !== "radio" || el.isContentEditable);
  const byID = (id) => document.getElementById(id);
  const rows = () => [...document.querySelectorAll("a.open")];
  const picks = () => [...document.querySelectorAll('input[name="pick"][type="checkbox"]')];

  // A list that somebody works on does not move under their hands.
  document.addEventListener("htmx:beforeRequest", (e) => {
    const busy = picks().some((p) => p.checked) || writing(document.activeElement) || document.querySelector("dialog[open]") || document.hidden;
    if (busy) e.preventDefault();
  });
  // An error, or a server that is away for a moment, leaves what is shown.
  document.addEventListener("htmx:beforeSwap", (e) => { if (e.detail.xhr.status !== 200) e.detail.shouldSwap = false; });

  const countOf = () => document.querySelector('[data-queue="mine"] .count')?.textContent;
  let needs = countOf();
  document.addEventListener("htmx:afterSwap", () => {
    prepare();
    const now = countOf();
    if (now !== undefined && now !== needs) byID("announce").textContent = `${now} need you`;
    needs = now;
  });

  function prepare() {
    const all = byID("pick-all");
    if (all) {
      all.hidden = false;
      all.onchange = () => { for (const p of picks()) p.checked = all.checked; tell(); };
    }
    for (const p of picks()) p.onchange = tell;
    tell();
  }
  function tell() {
    const n = picks().filter((p) => p.checked).length;
    const words = byID("picked");
    if (words) words.textContent = n ? `${n} selected` : "You see the sum before anything is approved.";
    const all = byID("pick-all");
    if (all) { all.checked = n > 0 && n === picks().length; all.indeterminate = n > 0 && n < picks().length; }
  }
  prepare();

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (e) => {
    if (e.defaultPrevented || e.target.method === "dialog" || e.target.method === "get") return;
    if (e.target.dataset.sent) { e.preventDefault(); return; }
    e.target.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => { for (const f of document.forms) delete f.dataset.sent; });

  // A menu closes as menus do.
  document.addEventListener("click", (e) => {
    for (const m of document.querySelectorAll("details.menu[open]")) if (!m.contains(e.target)) m.open = false;
  });

  function move(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const to = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
    all[to].focus();
    all[to].scrollIntoView({ block: "nearest" });
  }
  const rowOf = () => document.activeElement?.closest("tr");
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: () => { const box = rowOf()?.querySelector('input[name="pick"]'); if (box) { box.checked = !box.checked; tell(); } },
    a: () => {
      const approve = byID("approve-button");
      if (approve) approve.click();
      else if (document.activeElement?.matches("a.open")) document.activeElement.click();
    },
    r: () => {
      const reason = byID("reject-comment");
      if (reason) reason.focus();
      else if (document.activeElement?.matches("a.open")) document.activeElement.click();
    },
    u: () => byID("back")?.click(),
    "/": () => (byID("search") || byID("q"))?.focus(),
    "?": () => byID("help")?.showModal(),
  };
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") {
      for (const m of document.querySelectorAll("details.menu[open]")) { m.open = false; m.querySelector("summary").focus(); }
      if (writing(document.activeElement)) document.activeElement.blur();
      return;
    }
    if (!document.body.hasAttribute("data-keys") || e.ctrlKey || e.metaKey || e.altKey || e.repeat || e.defaultPrevented) return;
    if (writing(e.target) || document.querySelector("dialog[open]")) return;
    // A key that was meant for the page before must not decide on this one.
    if (e.key === "a" && Date.now() - started < 500) return;
    if (Object.hasOwn(keys, e.key)) { e.preventDefault(); keys[e.key](); }
  });
})();
