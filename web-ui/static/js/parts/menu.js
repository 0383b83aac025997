// SPDX-License-Identifier: Apache-2.0
// A button that opens a list of things to do. Arrow keys move in it, Escape closes it. The list is a popover of the browser's, so
// that no table or card cuts it off; it stands below its button, or above where there is more room.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/html.js";

const GAP = 4, EDGE = 8;

function placeAt(menu, button) {
  const from = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = innerHeight - from.bottom - GAP - EDGE, above = from.top - GAP - EDGE;
  const up = height > below && above > below;
  const room = Math.min(height, up ? above : below);
  menu.style.maxHeight = `${room}px`;
  menu.style.top = `${up ? from.top - GAP - room : from.bottom + GAP}px`;
  menu.style.left = `${Math.max(EDGE, Math.min(from.right - width, innerWidth - width - EDGE))}px`;
}

/** items: [{label, icon, do, href, danger, off, line}]; line: a line before it. */
export function Menu({ label, button, class: look = "button plain square", items, about }) {
  const [open, set] = useState(false);
  const holder = useRef();
  const shown = items.filter(Boolean);

  const list = useRef();
  useLayoutEffect(() => {
    if (!open) return undefined;
    list.current.showPopover();
    placeAt(list.current, holder.current);
    const close = (event) => event.target === list.current || set(false);
    addEventListener("scroll", close, true);
    addEventListener("resize", close);
    return () => {
      removeEventListener("scroll", close, true);
      removeEventListener("resize", close);
    };
  }, [open]);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => holder.current?.contains(event.target) || set(false);
    addEventListener("pointerdown", outside);
    holder.current.querySelector(".menu button:not(:disabled), .menu a")?.focus({ preventScroll: true });
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
    ${open && html`<div class="menu" role="menu" popover="manual" ref=${list}>
      ${about && html`<div class="about small soft wrap" role="none">${about}</div>`}
      ${shown.map((item) => html`${item.line && html`<hr role="none" />`}
        ${item.href
          ? html`<a role="menuitem" href=${item.href} download=${item.download} onClick=${() => set(false)}>${item.icon}${item.label}</a>`
          : html`<button type="button" role="menuitem" class=${item.danger ? "danger" : ""} disabled=${item.off}
              onClick=${() => { set(false); holder.current.querySelector("button").focus(); item.do(); }}>${item.icon}${item.label}</button>`}`)}
    </div>`}</span>`;
}
