// SPDX-License-Identifier: Apache-2.0
// The dialogs about one desktop: each is opened by its name (control.js).
import { html, useEffect, useState } from "../lib/html.js";
import { get, post } from "../lib/api.js";
import { go } from "../lib/route.js";
import { ask, Dialog } from "../parts/dialog.js";
import { Ends, Text, Trouble, useForm } from "../parts/form.js";
import { complain, say, tried } from "../parts/toast.js";
import { deleteThing, Editor } from "./editor.js";
import { FIELDS } from "./fields.js";
import { GiveDialog } from "./give.js";

const NAMED = {
  snapshot: { title: (name) => `Take a snapshot of “${name}”`, label: "What to call it", text: "What is on its disks now is kept, to go back to.", yes: "Take it", said: "The snapshot is being taken." },
  clone: { title: (name) => `Copy “${name}”`, label: "The copy's name", text: "Another desktop with the same disks, as they are now.", yes: "Copy", said: "The copy is being made." },
  template: { title: (name) => `Turn “${name}” into a template`, action: "make-template", label: "The template's name", text: "Its disk becomes what other desktops begin as. Sign everybody out of it and shut it down first.", yes: "Make a template", said: "The template is being made." },
};

function NameDialog({ desktop, what, onClose }) {
  const words = NAMED[what];
  const form = useForm({ name: what === "clone" ? `${desktop.name} 2` : what === "template" ? desktop.name : "" }, async ({ name }) => {
    await post(`/desktops/${desktop.id}/actions/${words.action || what}`, { name: name.trim() });
    say(words.said);
    onClose();
  });
  return html`<${Dialog} title=${words.title(desktop.name)} onClose=${onClose}><form class="form" onSubmit=${form.submit}>
    <p>${words.text}</p><${Trouble} form=${form} fields=${["name"]} />
    <${Text} ...${form.bind("name")} label=${words.label} required autofocus limits=${{ maxLength: 64 }} />
    <${Ends} form=${form} yes=${words.yes} onCancel=${onClose} /></form></${Dialog}>`;
}

function EditDesktop({ desktop, onClose }) {
  const [whole, set] = useState(null);
  useEffect(() => {
    get(`/desktops/${desktop.id}`).then(set, (error) => { complain(error); onClose(); });
  }, []);
  return whole && html`<${Editor} kind="desktop" thing=${whole} fields=${FIELDS.desktop} title=${whole.name} intro="What is changed here counts from its next start on." wide onClose=${onClose} />`;
}

/** Things that only ask, and then do. */
async function askFor(desktop, what, onClose) {
  onClose();
  if (what === "delete" && await deleteThing("desktop", desktop, { text: "Its disks and all that is on them are gone for good." })) go("desktops");
  if (what === "release" && await ask({ title: `Take “${desktop.name}” back?`, text: "It leaves its pool with all that its user has on it, so that nobody else is given it. They get another one the next time; delete this one when nothing of it is needed.", yes: "Take back" }))
    await tried(post(`/desktops/${desktop.id}/release`), "Taken back.");
}

export function DesktopDialog({ desktop, what, onClose }) {
  useEffect(() => {
    if (what === "delete" || what === "release") askFor(desktop, what, onClose);
  }, [what]);
  if (NAMED[what]) return html`<${NameDialog} desktop=${desktop} what=${what} onClose=${onClose} />`;
  if (what === "edit") return html`<${EditDesktop} desktop=${desktop} onClose=${onClose} />`;
  if (what === "give") return html`<${GiveDialog} initial=${{ desktop: desktop.id }} what=${desktop.name} onClose=${onClose} />`;
  return null;
}
