// SPDX-License-Identifier: Apache-2.0
// Rooms that are no more than a table of a kind and a form for it.
import { html, useState } from "../lib/html.js";
import { mebibytes } from "../lib/format.js";
import { link } from "../lib/route.js";
import { isAdmin } from "../lib/session.js";
import { GUEST_OS, NETWORK_TYPES, POOL_TYPES, usbWords, WAYS } from "../lib/words.js";
import { Head, Name } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { get } from "../lib/api.js";
import { PATHS } from "../lib/data.js";
import { complain } from "../parts/toast.js";
import { GiveDialog } from "./give.js";
import { deleteThing, Editor } from "./editor.js";
import { FIELDS } from "./fields.js";
import { KindTable } from "./table.js";

const ABOUT = {
  template: {
    title: "Templates", word: "template", icon: "copy", about: "What desktops are made from. Changing one changes no desktop that is there already.",
    empty: "A template is a description of a PC and the disk it begins with. Make one here, or turn a desktop that you installed into one.", wide: true,
    columns: [
      { title: "Name", cell: (thing, room) => html`<button class="linklike" onClick=${() => room.edit(thing)}>${thing.name}</button>` },
      { title: "System", cell: (thing) => GUEST_OS[thing.guest_os] },
      { title: "Memory", class: "number", cell: (thing) => mebibytes(thing.memory) },
      { title: "Processors", class: "number", cell: (thing) => thing.vcpus },
      { title: "About", cell: (thing) => thing.description },
    ],
    actions: (thing, room) => [{ label: "Make a pool of it", icon: html`<${Icon} name="stack" />`, do: () => room.open({ kind: "pool", initial: { template: thing.id } }) }],
  },
  pool: {
    title: "Pools", word: "pool", icon: "stack", about: "Desktops by the dozen, all made from one template. Give a pool to people, and each of them gets a desktop of it.", give: true,
    empty: "A pool makes desktops by itself when people come. It needs a template first.",
    columns: [
      { title: "Name", cell: (thing, room) => html`<button class="linklike" onClick=${() => room.edit(thing)}>${thing.name}</button>` },
      { title: "Made from", cell: (thing) => html`<${Name} kind="template" id=${thing.template} />` },
      { title: "Desktops", cell: (thing) => POOL_TYPES[thing.type] },
      { title: "At most", class: "number", cell: (thing) => thing.size },
      { title: "Ahead", class: "number", cell: (thing) => thing.spares },
      { title: "Policy", cell: (thing) => html`<${Name} kind="policy" id=${thing.policy} />` },
    ],
    actions: (thing) => [{ label: "Its desktops", icon: html`<${Icon} name="desk" />`, href: `${link("desktops")}?pool=${thing.id}` }],
  },
  network: {
    title: "Networks", word: "network", icon: "network", about: "What desktops' network cards are plugged into.", empty: "Without a network, desktops reach nothing but their users.",
    columns: [
      { title: "Name", cell: (thing, room) => html`<button class="linklike" onClick=${() => room.edit(thing)}>${thing.name}</button>` },
      { title: "Desktops are", cell: (thing) => NETWORK_TYPES[thing.type] },
      { title: "Bridge", cell: (thing) => (thing.bridge ? html`<code>${thing.bridge}</code>${thing.vlan ? `, VLAN ${thing.vlan}` : ""}` : "") },
      { title: "One another", cell: (thing) => (thing.isolated ? "Cannot reach" : "Can reach") },
      { title: "About", cell: (thing) => thing.description },
    ],
  },
  policy: {
    title: "Policies", word: "policy", icon: "shield", about: "What users may do at their desktops besides seeing and typing. A desktop's own comes before its pool's.",
    empty: "Without a policy nothing may be copied, moved or plugged in.",
    columns: [
      { title: "Name", cell: (thing, room) => html`<button class="linklike" onClick=${() => room.edit(thing)}>${thing.name}</button>` },
      { title: "Text", cell: (thing) => WAYS[thing.clipboard] || WAYS.none },
      { title: "Files", cell: (thing) => WAYS[thing.file_transfer] || WAYS.none },
      { title: "USB", cell: (thing) => html`<span title=${thing.usb}>${usbWords(thing.usb)}</span>` },
    ],
  },
};

function KindRoom({ kind, session, route }) {
  const about = ABOUT[kind];
  const [shown, show] = useState(route.query.new !== undefined ? { kind, initial: {} } : null);
  const close = () => show(null);
  const mayChange = isAdmin(session);
  const room = {
    open: show,
    // The table has a thing without its parts.
    edit: (thing) => mayChange && get(`/${PATHS[kind]}/${thing.id}`).then((whole) => show({ kind, thing: whole }), complain),
  };
  const actions = (thing) => [
    { label: "Change", icon: html`<${Icon} name="edit" />`, do: () => room.edit(thing) },
    about.give && { label: "Give it to somebody", icon: html`<${Icon} name="gift" />`, do: () => show({ give: thing }) },
    ...(about.actions?.(thing, room) || []),
    { label: "Delete", icon: html`<${Icon} name="trash" />`, danger: true, line: true, do: () => deleteThing(kind, thing) },
  ];
  const columns = [
    ...about.columns.map((column) => ({ ...column, cell: (thing) => column.cell(thing, room) })),
    ...(mayChange ? [{ class: "tight", cell: (thing) => html`<${Menu} label="What to do with ${thing.name}" button=${html`<${Icon} name="dots" />`} items=${actions(thing)} />` }] : []),
  ];
  const make = mayChange && html`<button class="button main" onClick=${() => show({ kind, initial: {} })}><${Icon} name="plus" />New ${about.word}</button>`;
  return html`<${Head} title=${about.title} about=${about.about}>${make}</${Head}>
    <${KindTable} kind=${kind} columns=${columns} empty=${{ icon: about.icon, title: `No ${about.title.toLowerCase()} yet`, children: html`<p>${about.empty}</p>${make}` }} />
    ${shown?.give && html`<${GiveDialog} initial=${{ pool: shown.give.id }} what=${shown.give.name} onClose=${close} />`}
    ${shown?.kind && html`<${Editor} key=${shown.kind + (shown.thing?.id || "")} kind=${shown.kind} thing=${shown.thing} initial=${shown.initial} fields=${FIELDS[shown.kind]} wide=${ABOUT[shown.kind].wide}
      title=${shown.thing ? shown.thing.name : `New ${ABOUT[shown.kind].word}`} onClose=${close} />`}`;
}

const room = (kind) => (props) => html`<${KindRoom} kind=${kind} ...${props} />`;
export const Templates = room("template");
export const Pools = room("pool");
export const Networks = room("network");
export const Policies = room("policy");
