// SPDX-License-Identifier: Apache-2.0
// Making and changing things: a dialog made from a list of fields, whose limits the API's own description gives.
import { html, useState } from "../lib/html.js";
import { get, patch, post, remove } from "../lib/api.js";
import { PATHS, useAll } from "../lib/data.js";
import { useLimits } from "../lib/schema.js";
import { KINDS, USB_ALL, USB_NONE } from "../lib/words.js";
import { ask, Dialog } from "../parts/dialog.js";
import { Check, Choice, Ends, Select, Text, Trouble, useForm } from "../parts/form.js";
import { complain, say } from "../parts/toast.js";
import { Disks, Nics } from "./machine-parts.js";
import { PersonPick } from "./pick.js";

const GIB = 1024 ** 3;
const number = (text) => (text === "" || text === undefined ? undefined : Number(text));

// How each type of field is shown, and how what stands there becomes what the API takes.
const TYPES = {
  text: { part: Text, out: (value) => value?.trim() },
  password: { part: (props) => html`<${Text} ...${props} type="password" autocomplete="new-password" />`, out: (value) => value },
  number: { part: (props) => html`<${Text} ...${props} type="number" inputmode="numeric" />`, out: number },
  gib: { part: (props) => html`<${Text} ...${props} limits=${{}} type="number" min="1" step="any" unit="GiB" />`, in: (value) => value && value / GIB, out: (value) => number(value) && Math.round(number(value) * GIB) },
  memory: {
    part: (props) => html`<${Text} ...${props} limits=${{}} type="number" min="0.25" max="512" step="any" unit="GiB" />`,
    in: (value) => value && value / 1024, out: (value) => number(value) && Math.round(number(value) * 1024),
  },
  select: { part: Select, out: (value) => value },
  choice: { part: Choice, out: (value) => value },
  check: { part: Check, out: Boolean },
  ref: { part: Reference, out: (value) => value },
  person: { part: PersonPick, out: (value) => value },
  usb: { part: UsbRules, out: (value) => value?.trim() || USB_NONE },
  disks: { part: Disks, out: (value) => value.map(cleanPart) },
  nics: { part: Nics, out: (value) => value.map(cleanPart) },
};

/** A disk or card without what is empty. */
const cleanPart = (part) => Object.fromEntries(Object.entries(part).filter(([, value]) => value !== "" && value !== null && value !== undefined));

/** One of a kind's things, of which there are never many. */
function Reference({ kind, none, only, ...props }) {
  const read = useAll(kind);
  const things = (read.value || []).filter(only || (() => true));
  const options = [...(none === undefined ? [] : [["", none]]), ...things.map((thing) => [thing.id, thing.name])];
  if (none === undefined && !props.value) options.unshift(["", read.loading ? "…" : things.length ? "Choose one" : `There is no ${KINDS[kind][0]} yet`]);
  return html`<${Select} ...${props} options=${options} />`;
}

/** Nothing, everything, or rules for those who know how usbredir writes them. */
function UsbRules({ value, onValue, label, wrong, ...props }) {
  const known = value === USB_NONE || value === USB_ALL || !value;
  const [own, setOwn] = useState(!known);
  const choose = (choice) => {
    setOwn(choice === "rules");
    onValue(choice === "all" ? USB_ALL : choice === "none" ? USB_NONE : value || USB_NONE);
  };
  return html`<${Select} ...${props} name="usb-choice" label=${label} wrong=${own ? "" : wrong} value=${own ? "rules" : value === USB_ALL ? "all" : "none"} onValue=${choose}
      options=${[["none", "Not allowed"], ["all", "Every device"], ["rules", "By rules of one's own"]]} />
    ${own && html`<${Text} ...${props} name="usb" label="Rules" wrong=${wrong} value=${value} onValue=${onValue} required
      hint="As usbredir writes them: class,vendor,product,version,allow, with | between rules and -1 for any." />`}`;
}

const typeOf = (field) => TYPES[field.type || "text"];
const shownFor = (fields, thing) => fields.filter((field) => (thing ? !field.onlyNew : !field.onlyOld));

function begin(fields, thing, initial) {
  const values = {};
  for (const field of fields) {
    const from = thing ? thing[field.name] : initial?.[field.name] ?? field.start;
    const into = typeOf(field).in;
    values[field.name] = into ? into(from) : from ?? (field.type === "disks" || field.type === "nics" ? [] : field.type === "check" ? false : "");
  }
  return values;
}

const same = (a, b) => JSON.stringify(a ?? "") === JSON.stringify(b ?? "") || (a === false && b === undefined);

/** What is to be sent: of a new thing what is filled in, of an old one what was changed. */
function bodyOf(fields, values, thing) {
  const body = {};
  for (const field of fields) {
    if (field.when && !field.when(values)) continue;
    const value = typeOf(field).out(values[field.name]);
    if (field.loose) continue;
    if (thing ? !same(value, partsOf(thing[field.name])) : value !== undefined && value !== "" && value !== false) body[field.name] = value ?? "";
  }
  return body;
}

const partsOf = (value) => (Array.isArray(value) ? value.map(cleanPart) : value);

export function Fields({ form, fields, limits = {}, scope }) {
  const show = (field) => {
    if (field.when && !field.when(form.values)) return null;
    const { type, when, start, onlyNew, onlyOld, more, loose, limits: own, ...props } = field;
    return html`<${typeOf(field).part} key=${field.name} scope=${scope} ...${props} ...${form.bind(field.name)} limits=${own || limits[field.name]} required=${field.required} />`;
  };
  const more = fields.filter((field) => field.more);
  const wrongInside = more.some((field) => form.error?.field === field.name);
  return html`${fields.filter((field) => !field.more).map(show)}
    ${more.length > 0 && html`<details class="more" open=${wrongInside}><summary>More settings</summary><div class="form">${more.map(show)}</div></details>`}`;
}

/**
 * Makes a thing, or changes the one given. before(body): may add to what is sent; done(thing): after it was.
 */
export function Editor({ kind, thing, title, fields, initial, yes, before, done, onClose, intro, wide }) {
  const [seen, setSeen] = useState(thing);
  const limits = useLimits(kind);
  const shown = shownFor(fields, seen);
  const form = useForm(begin(shown, seen, initial), async (values) => {
    const body = bodyOf(shown, values, seen);
    before?.(body, values);
    try {
      let result = seen;
      if (!seen) result = await post(`/${PATHS[kind]}`, body);
      else if (Object.keys(body).length) result = await patch(`/${PATHS[kind]}/${seen.id}`, body, seen.revision);
      await done?.(result, values);
      onClose();
    } catch (error) {
      if (error.status === 412) await lookAgain();
      throw error;
    }
  });
  // Somebody else was first: what they made of it is shown, and saving again means to overrule that.
  const lookAgain = async () => {
    const fresh = await get(`/${PATHS[kind]}/${seen.id}`);
    setSeen(fresh);
    for (const [name, value] of Object.entries(begin(shown, fresh))) form.set(name, value);
  };
  return html`<${Dialog} title=${title} onClose=${onClose} wide=${wide}><form class="form" onSubmit=${form.submit}>
    ${intro && html`<p class="soft">${intro}</p>`}
    <${Trouble} form=${form} fields=${shown.map((field) => field.name)} />
    <${Fields} form=${form} fields=${shown} limits=${limits} />
    <${Ends} form=${form} yes=${yes || (thing ? "Save" : "Make it")} onCancel=${onClose} /></form></${Dialog}>`;
}

/** Asks, then deletes. @returns whether it is gone. */
export async function deleteThing(kind, thing, { text, name = thing.name || thing.id } = {}) {
  const yes = await ask({ title: `Delete the ${KINDS[kind][0]} “${name}”?`, text: text || "It is gone for good.", yes: "Delete" });
  if (!yes) return false;
  try {
    await remove(`/${PATHS[kind]}/${thing.id}`, thing.revision);
    say(`“${name}” is deleted.`);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}
