// SPDX-License-Identifier: Apache-2.0
// Giving desktops and pools to people: the dialog, and the room that shows who has what.
import { html, useState } from "../lib/html.js";
import { post, remove } from "../lib/api.js";
import { useAll } from "../lib/data.js";
import { link } from "../lib/route.js";
import { Head, Name, When } from "../parts/basics.js";
import { ask, Dialog } from "../parts/dialog.js";
import { Choice, Ends, Select, Trouble, useForm } from "../parts/form.js";
import { Icon } from "../parts/icon.js";
import { say, tried } from "../parts/toast.js";
import { PersonPick, Pick } from "./pick.js";
import { KindTable } from "./table.js";

/** initial: what is given ({pool} or {desktop}), or to whom ({user} or {group}); the rest is asked for. */
export function GiveDialog({ initial = {}, what, onClose }) {
  const form = useForm({ whom: initial.group ? "group" : "user", thing: initial.desktop ? "desktop" : "pool", user: "", group: "", pool: "", desktop: "", ...initial }, async (values) => {
    await post("/assignments", { [values.whom]: values[values.whom], [values.thing]: values[values.thing] });
    say("Given.");
    onClose();
  });
  const groups = useAll("group").value || [];
  const pools = useAll("pool").value || [];
  const { whom, thing } = form.values;
  const toGiven = initial.user || initial.group, thingGiven = initial.pool || initial.desktop;
  const some = (things, none) => [["", things.length ? "Choose one" : none], ...things.map((one) => [one.id, one.name])];
  return html`<${Dialog} title=${what ? (thingGiven ? `Give “${what}” to somebody` : `Give “${what}” something`) : "Give something to somebody"} onClose=${onClose}><form class="form" onSubmit=${form.submit}>
    <${Trouble} form=${form} fields=${["user", "group", "pool", "desktop"]} />
    ${!toGiven && html`<${Choice} name="whom" label="To whom" value=${whom} onValue=${(value) => form.set("whom", value)} options=${[["user", "One person"], ["group", "A group", "Everybody in it, now and later."]]} />
      ${whom === "user" ? html`<${PersonPick} ...${form.bind("user")} label="Person" required />` : html`<${Select} ...${form.bind("group")} label="Group" required options=${some(groups, "There is no group yet")} />`}`}
    ${!thingGiven && html`<${Choice} name="thing" label="What" value=${thing} onValue=${(value) => form.set("thing", value)} options=${[["pool", "A desktop of a pool", "One of their own each."], ["desktop", "One certain desktop"]]} />
      ${thing === "pool" ? html`<${Select} ...${form.bind("pool")} label="Pool" required options=${some(pools, "There is no pool yet")} />` : html`<${Pick} kind="desktop" ...${form.bind("desktop")} label="Desktop" required />`}`}
    <${Ends} form=${form} yes="Give" onCancel=${onClose} /></form></${Dialog}>`;
}

export async function takeBack(assignment) {
  if (await ask({ title: "Take it back?", text: "They can no longer open it. Nothing on it is deleted.", yes: "Take back" }))
    await tried(remove(`/assignments/${assignment.id}`), "Taken back.");
}

const COLUMNS = [
  { title: "To whom", cell: (one) => (one.user ? html`<${Name} kind="user" id=${one.user} />` : html`<span class="row"><${Icon} name="users" /><${Name} kind="group" id=${one.group} /></span>`) },
  { title: "What", cell: (one) => (one.desktop ? html`<${Name} kind="desktop" id=${one.desktop} href=${link("desktops", one.desktop)} />` : html`<span class="row">One of <b><${Name} kind="pool" id=${one.pool} /></b></span>`) },
  { title: "Since", cell: (one) => html`<${When} time=${one.created} />` },
  { class: "tight", cell: (one) => html`<button class="button slim" onClick=${() => takeBack(one)}>Take back</button>` },
];

export function Assignments() {
  const [giving, set] = useState(false);
  const pools = useAll("pool").value || [];
  const groups = useAll("group").value || [];
  const give = html`<button class="button main" onClick=${() => set(true)}><${Icon} name="gift" />Give something</button>`;
  const filters = [["All", {}], ...pools.map((pool) => [`Of ${pool.name}`, { filter: "pool", value: pool.id }]), ...groups.map((group) => [`To ${group.name}`, { filter: "group", value: group.id }])];
  return html`<${Head} title="Who has what" about="Which person or group has which desktop, or a desktop of which pool.">${give}</${Head}>
    <${KindTable} kind="assignment" columns=${COLUMNS} filters=${filters} searchable=${false} empty=${{ icon: "gift", title: "Nobody has been given anything yet", children: html`<p>Give a pool to a group, and each of its people gets a desktop of their own.</p>${give}` }} />
    ${giving && html`<${GiveDialog} onClose=${() => set(false)} />`}`;
}
