// SPDX-License-Identifier: Apache-2.0
// Dialogs on the browser's own <dialog>: it keeps the focus inside, Escape closes it, and the focus goes back to where it was.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { listen, tell } from "../lib/live.js";
import { Icon } from "./icon.js";

export function Dialog({ title, onClose, wide, children }) {
  const dialog = useRef();
  const [before] = useState(document.activeElement);
  useEffect(() => {
    const element = dialog.current;
    element.showModal();
    return () => {
      element.close();
      before?.focus({ preventScroll: true }); // the browser forgets it with an element that goes
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog class="dialog ${wide ? "wide" : ""}" ref=${dialog} aria-labelledby="dialog-title" onCancel=${cancel}>
    <div class="head"><h2 id="dialog-title" class="wrap">${title}</h2>
      <button class="button plain square" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></div>
    <div class="inside">${children}</div></dialog>`;
}

/** Asks before something that cannot be undone. @returns a promise of yes or no. */
export const ask = ({ title, text, yes, danger = true }) => new Promise((resolve) => tell("ask", { title, text, yes, danger, resolve }));

/** The place where questions appear. */
export function Asking() {
  const [question, set] = useState(null);
  useEffect(() => listen("ask", set), []);
  if (!question) return null;
  const answer = (yes) => () => {
    set(null);
    question.resolve(yes);
  };
  return html`<${Dialog} title=${question.title} onClose=${answer(false)}>
    <p class="wrap">${question.text}</p>
    <div class="form"><div class="ends">
      <button class="button" onClick=${answer(false)}>Cancel</button>
      <button class="button main ${question.danger ? "danger" : ""}" onClick=${answer(true)}>${question.yes}</button></div></div></${Dialog}>`;
}
