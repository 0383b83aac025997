// SPDX-License-Identifier: Apache-2.0
// Short words at the corner about what was done, or what went wrong where no field can show it.
import { html, useEffect, useState } from "../lib/html.js";
import { listen, tell } from "../lib/live.js";
import { Icon } from "./icon.js";

const SHOWN_MS = 5000;
const SHOWN_BAD_MS = 12000;
let last = 0;

export const say = (text) => tell("toast", { text });
export const complain = (error) => tell("toast", { text: error?.message || String(error), bad: true });

/** Does what it is given; what goes wrong is said. @returns whether it went well. */
export async function tried(promise, done) {
  try {
    await promise;
    if (done) say(done);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

export function Toasts() {
  const [toasts, set] = useState([]);
  const drop = (id) => set((all) => all.filter((one) => one.id !== id));
  useEffect(() => listen("toast", (toast) => {
    const id = ++last;
    set((all) => [...all.slice(-3), { ...toast, id }]);
    setTimeout(() => drop(id), toast.bad ? SHOWN_BAD_MS : SHOWN_MS);
  }), []);
  return html`<div class="toasts" role="status" aria-live="polite">${toasts.map((toast) => html`
    <div class="toast ${toast.bad ? "bad" : ""}" key=${toast.id}><${Icon} name=${toast.bad ? "warn" : "check"} /><span class="grow wrap">${toast.text}</span>
      <button class="button plain square slim" aria-label="Close" onClick=${() => drop(toast.id)}><${Icon} name="close" /></button></div>`)}</div>`;
}
