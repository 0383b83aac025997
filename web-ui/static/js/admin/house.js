// SPDX-License-Identifier: Apache-2.0
// The host itself: what it is, what it is warned of, maintenance, files that belong to nothing, and where the rest is set.
import { html } from "../lib/html.js";
import { get, items, patch } from "../lib/api.js";
import { useList, useRead } from "../lib/data.js";
import { bytes } from "../lib/format.js";
import { Head, Loaded, When } from "../parts/basics.js";
import { tried } from "../parts/toast.js";
import { Rows } from "./table.js";
import { useHost, Warnings } from "./overview.js";

function Maintenance() {
  const read = useList("host");
  const turn = (host) => tried(patch(`/hosts/${host.id}`, { maintenance: !host.maintenance }, host.revision));
  return html`<section class="card stack"><h2>Maintenance</h2><p class="soft">While a host is in maintenance, no desktop is started there. Those that are on stay on.</p>
    <${Loaded} read=${read}>${(list) => html`<ul class="members">${list.items.map((host) => html`<li key=${host.id}><b>${host.id}</b>
      <span class="row">${host.maintenance && html`<span class="state wait">In maintenance</span>`}<button class="button slim" onClick=${() => turn(host)}>${host.maintenance ? "End maintenance" : "Begin maintenance"}</button></span></li>`)}</ul>`}</${Loaded}></section>`;
}

const ORPHAN_COLUMNS = [
  { title: "Name", cell: (file) => html`<code>${file.name}</code>` }, { title: "Size", class: "number", cell: (file) => bytes(file.bytes) }, { title: "Last changed", cell: (file) => html`<${When} time=${file.changed} />` },
];

export function House() {
  const host = useHost();
  const orphans = useRead((signal) => get("/host/orphans", { signal }).then(items), []);
  return html`<${Head} title="Host" />
    <div class="halves"><div class="stack">
      <${Loaded} read=${host}>${(value) => html`<${Warnings} host=${value} />
        <section class="card"><h2>This host</h2><dl class="facts"><dt>Name</dt><dd>${value.name}</dd><dt>Carrel</dt><dd>${value.version}</dd><dt>Processor</dt><dd>${value.cpu_model} (${value.cpus})</dd>
        <dt>Memory</dt><dd>${bytes(value.memory)}</dd><dt>Storage</dt><dd>${bytes(value.storage_bytes)}, ${value.storage}</dd><dt>Virtual PCs</dt><dd>${value.kvm ? "KVM works" : "KVM does not work here"}</dd><dt>On since</dt><dd><${When} time=${value.began} /></dd></dl></section>`}</${Loaded}>
      <${Maintenance} /></div><div class="stack">
      <section class="card stack"><h2>Directory and sign-in</h2>
        <p>Your office's directory (LDAP or Active Directory) and how long people stay signed in are set on the host itself, in <code>/etc/carrel/carreld.conf</code>, since its password is not for a browser to show. <code>man carreld.conf</code> tells how.</p>
        <p>The certificate and the port of this page are set in <code>/etc/carrel/web.conf</code>.</p></section>
      <section class="card flush"><h2>Files that belong to nothing</h2><${Loaded} read=${orphans}>${(all) => (all.length ? html`<${Rows} things=${all.map((file) => ({ id: file.name, ...file }))} columns=${ORPHAN_COLUMNS} />`
        : html`<p class="soft" style=${{ padding: "0.75rem 1rem 1rem" }}>None.</p>`)}</${Loaded}></section></div></div>`;
}
