// SPDX-License-Identifier: Apache-2.0
// Forms: fields with their labels and hints, the server's complaints beside the field they name, and what happens when somebody else
// was first.
import { html, useRef, useState } from "../lib/html.js";
import { Note } from "./basics.js";

/**
 * The state of a form. send(values) does it and may throw an ApiError; what that names is marked.
 * @returns {values, set, bind(name), submit, busy, error, wrong(name)}
 */
export function useForm(initial, send) {
  const [values, setValues] = useState(initial);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const latest = useRef(values);
  latest.current = values;

  const set = (name, value) => {
    latest.current = { ...latest.current, [name]: value };
    setValues(latest.current);
    if (error?.field === name) setError(null);
  };
  const submit = async (event) => {
    event?.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await send(latest.current);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const wrong = (name) => (error?.field === name ? error.message : "");
  const bind = (name) => ({ name, value: values[name], onValue: (value) => set(name, value), wrong: wrong(name) });
  return { values, set, bind, submit, busy, error, wrong, setError };
}

/** What is wrong with the whole, or with a field that the form does not show. */
export function Trouble({ form, fields = [] }) {
  if (!form.error || fields.includes(form.error.field)) return null;
  const changed = form.error.status === 412;
  return html`<${Note} look="bad"><span class="wrap">${form.error.message}</span>
    ${changed && html`<p>What you see here is now as they left it. Look at it, and save again if you still want to.</p>`}</${Note}>`;
}

function Shell({ id, label, hint, wrong, children }) {
  return html`<div class="field"><label for=${id}>${label}</label>${children}
    ${wrong ? html`<span class="wrong wrap" id="${id}-wrong" role="alert">${wrong}</span>` : hint && html`<span class="hint" id="${id}-hint">${hint}</span>`}</div>`;
}

const ids = (name, scope) => `field-${scope ? `${scope}-` : ""}${name}`;
const described = (id, hint, wrong) => (wrong ? `${id}-wrong` : hint ? `${id}-hint` : undefined);

/** A line of text, a number or a password; more goes to the <input>. */
export function Text({ name, scope, label, hint, wrong, value, onValue, unit, limits, ...more }) {
  const id = ids(name, scope);
  const given = limits || {};
  const field = html`<input class="input" id=${id} name=${name} value=${value ?? ""} aria-invalid=${wrong ? "true" : undefined}
    aria-describedby=${described(id, hint, wrong)} maxlength=${given.maxLength} min=${given.min} max=${given.max}
    onInput=${(event) => onValue(event.target.value)} autocomplete="off" ...${more} />`;
  return html`<${Shell} id=${id} label=${label} hint=${hint} wrong=${wrong}>
    ${unit ? html`<div class="with-unit">${field}<span class="unit">${unit}</span></div>` : field}</${Shell}>`;
}

/** options: [[value, words]]. */
export function Select({ name, scope, label, hint, wrong, value, onValue, options, ...more }) {
  const id = ids(name, scope);
  return html`<${Shell} id=${id} label=${label} hint=${hint} wrong=${wrong}>
    <select class="input" id=${id} name=${name} aria-invalid=${wrong ? "true" : undefined} aria-describedby=${described(id, hint, wrong)}
      onChange=${(event) => onValue(event.target.value)} ...${more}>
      ${options.map(([key, words]) => html`<option value=${key} selected=${key === (value ?? "")}>${words}</option>`)}</select></${Shell}>`;
}

export function Check({ name, scope, label, hint, value, onValue }) {
  const id = ids(name, scope);
  return html`<div class="check"><input type="checkbox" id=${id} name=${name} checked=${!!value} aria-describedby=${described(id, hint)}
    onChange=${(event) => onValue(event.target.checked)} /><label for=${id}>${label}</label>
    ${hint && html`<span class="hint small soft" id="${id}-hint">${hint}</span>`}</div>`;
}

/** One of a few, each with a word about it: options [[value, words, hint]]. */
export function Choice({ name, scope, label, wrong, value, onValue, options }) {
  return html`<fieldset class="field"><legend class="label" style=${{ fontWeight: 550, padding: 0, marginBottom: "0.25rem" }}>${label}</legend>
    <div class="choices">${options.map(([key, words, hint]) => html`<label class="choice"><input type="radio" name=${ids(name, scope)} value=${key}
      checked=${key === value} onChange=${() => onValue(key)} /><b>${words}</b>${hint && html`<small>${hint}</small>`}</label>`)}</div>
    ${wrong && html`<span class="wrong" role="alert">${wrong}</span>`}</fieldset>`;
}

export const Ends = ({ form, yes, onCancel, danger }) => html`<div class="ends">
  ${onCancel && html`<button type="button" class="button" onClick=${onCancel}>Cancel</button>`}
  <button type="submit" class="button main ${danger ? "danger" : ""}" disabled=${form.busy}>${form.busy ? "One moment …" : yes}</button></div>`;
