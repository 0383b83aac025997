// SPDX-License-Identifier: Apache-2.0
// Choosing one of many: type some of the name, take one of what is found. For users and desktops, of which there are thousands.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { get, items, query } from "../lib/api.js";
import { nameOf, PATHS } from "../lib/data.js";

const SETTLE_MS = 200;
const SHOWN_MAX = 20;

function useFound(kind, text, open) {
  const [found, set] = useState([]);
  useEffect(() => {
    if (!open) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(() => get(`/${PATHS[kind]}${query({ search: text.trim(), limit: SHOWN_MAX })}`, { signal: abort.signal })
      .then((page) => set(items(page)), () => {}), SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [kind, text, open]);
  return found;
}

export function Pick({ kind, name, scope, label, hint, wrong, value, onValue, required }) {
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const found = useFound(kind, text, open);
  const id = `field-${scope ? `${scope}-` : ""}${name}`;
  const input = useRef();
  useEffect(() => {
    if (value && !open) nameOf(kind, value).then(setText);
    if (!value && !open) setText("");
  }, [value, kind]);
  useEffect(() => input.current?.setCustomValidity(required && !value ? "Choose one from the list." : ""), [value, required]);

  const take = (thing) => {
    onValue(thing.id);
    setText(thing.name);
    setOpen(false);
  };
  const keys = (event) => {
    if (event.key === "Escape" && open) setOpen(false);
    else if (event.key === "Enter" && open && found[at]) take(found[at]);
    else if (event.key === "ArrowDown") {
      setOpen(true);
      setAt(Math.min(at + 1, found.length - 1));
    } else if (event.key === "ArrowUp") setAt(Math.max(0, at - 1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<div class="field"><label for=${id}>${label}</label>
    <div class="pick"><input class="input" id=${id} ref=${input} role="combobox" aria-expanded=${String(open)} aria-controls="${id}-list" aria-autocomplete="list"
        aria-invalid=${wrong ? "true" : undefined} autocomplete="off" value=${text} placeholder="Type some of the name"
        onFocus=${() => setOpen(true)} onBlur=${() => setTimeout(() => setOpen(false), 150)} onKeyDown=${keys}
        onInput=${(event) => { setText(event.target.value); setOpen(true); setAt(0); onValue(""); }} />
      ${open && html`<ul class="pick-list" id="${id}-list" role="listbox" aria-label=${label}>${found.length ? found.map((thing, i) => html`
        <li role="option" aria-selected=${String(i === at)} onMouseDown=${(event) => { event.preventDefault(); take(thing); }}>${thing.name}${thing.full_name && html` <small>${thing.full_name}</small>`}</li>`)
        : html`<li class="soft" role="option" aria-selected="false">Nothing found</li>`}</ul>`}</div>
    ${wrong ? html`<span class="wrong" role="alert">${wrong}</span>` : hint && html`<span class="hint">${hint}</span>`}</div>`;
}

export const PersonPick = (props) => html`<${Pick} kind="user" ...${props} />`;
