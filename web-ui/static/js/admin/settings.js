// SPDX-License-Identifier: Apache-2.0
// The settings of the house. What there is, what each does, its unit and its range are told by the server: a new one is here by itself.
import { html, useEffect, useState } from "../lib/html.js";
import { get, patch, post } from "../lib/api.js";
import { useList } from "../lib/data.js";
import { Head, Loaded } from "../parts/basics.js";
import { Text, Trouble, useForm } from "../parts/form.js";
import { say } from "../parts/toast.js";

const number = (value) => Number(value).toLocaleString();

/** One setting, with a form of its own: who changes one does not hinder another. */
function Setting({ setting }) {
  const [seen, setSeen] = useState(setting);
  const path = `/settings/${seen.id}`;
  const show = (fresh) => {
    setSeen(fresh);
    form.set("value", String(fresh.value));
  };
  /** Whoever is second sees what the other made of it. */
  const make = async (change) => {
    try {
      show(await change());
      say(`“${seen.title}” is saved.`);
    } catch (error) {
      if (error.status === 412) show(await get(path));
      throw error;
    }
  };
  const form = useForm({ value: String(setting.value) },
    ({ value }) => make(() => patch(path, value === "" ? {} : { value: Number(value) }, seen.revision)));
  const reset = () => make(() => post(`${path}/reset`, {}, { seen: seen.revision }).then(() => get(path))).then(() => form.setError(null), form.setError);
  const changed = form.values.value !== String(seen.value);
  // What others set is shown at once, but never written over what somebody is typing.
  useEffect(() => {
    if (!changed && setting.revision !== seen.revision) show(setting);
  }, [setting.revision]);

  return html`<form class="card form" onSubmit=${form.submit} noValidate>
    <${Trouble} form=${form} fields=${["value"]} />
    <${Text} scope=${seen.id} ...${form.bind("value")} label=${seen.title} type="number" inputmode="numeric" unit=${seen.unit}
      hint="From ${number(seen.min)} to ${number(seen.max)}; by default ${number(seen.default)}." />
    <p class="soft">${seen.about}</p>
    <div class="ends">${seen.value !== seen.default && html`<button type="button" class="button" onClick=${reset}>Back to ${number(seen.default)}</button>`}
      ${changed && html`<button type="submit" class="button main" disabled=${form.busy}>${form.busy ? "One moment …" : "Save"}</button>`}</div></form>`;
}

export function Settings() {
  const read = useList("setting");
  return html`<${Head} title="Settings" about="They hold for the whole house. What you change counts at once." />
    <${Loaded} read=${read}>${(list) => html`<div class="settings">${list.items.map((setting) => html`<${Setting} key=${setting.id} setting=${setting} />`)}</div>`}</${Loaded}>`;
}
