// SPDX-License-Identifier: Apache-2.0
// A button that opens a list of things to do. Arrow keys move in it, Escape closes it.
import { html, useEffect, useRef, useState } from "../lib/html.js";

/** items: [{label, icon, do, href, danger, off, line}]; line: a line before it. */
export function Menu({ label, button, class: look = "button plain square", items, place = "", about }) {
  const [open, set] = useState(false);
  const holder = useRef();
  const shown = items.filter(Boolean);

  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => holder.current?.contains(event.target) || set(false);
    addEventListener("pointerdown", outside);
    holder.current.querySelector(".menu button:not(:disabled), .menu a")?.focus();
    return () => removeEventListener("pointerdown", outside);
  }, [open]);

  const keys = (event) => {
    if (!open) return;
    const all = [...holder.current.querySelectorAll(".menu > button:not(:disabled), .menu > a")];
    const at = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) all[(at + step + all.length) % all.length]?.focus();
    else if (event.key === "Escape") {
      set(false);
      holder.current.querySelector("button").focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const left = (event) => event.relatedTarget && !holder.current.contains(event.relatedTarget) && set(false);

  return html`<span class="menu-holder" ref=${holder} onKeyDown=${keys} onFocusOut=${left}>
    <button type="button" class=${look} aria-label=${label} title=${label} aria-haspopup="menu" aria-expanded=${String(open)} onClick=${() => set(!open)}>${button}</button>
    ${open && html`<div class="menu ${place}" role="menu">
      ${about && html`<div class="about small soft wrap" role="none">${about}</div>`}
      ${shown.map((item) => html`${item.line && html`<hr role="none" />`}
        ${item.href
          ? html`<a role="menuitem" href=${item.href} download=${item.download} onClick=${() => set(false)}>${item.icon}${item.label}</a>`
          : html`<button type="button" role="menuitem" class=${item.danger ? "danger" : ""} disabled=${item.off}
              onClick=${() => { set(false); item.do(); }}>${item.icon}${item.label}</button>`}`)}
    </div>`}</span>`;
}
