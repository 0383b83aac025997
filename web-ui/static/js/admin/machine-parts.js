// SPDX-License-Identifier: Apache-2.0
// A virtual PC's disks, drives and network cards, in forms.
import { html } from "../lib/html.js";
import { useAll } from "../lib/data.js";
import { bytes } from "../lib/format.js";
import { Icon } from "../parts/icon.js";

const GIB = 1024 ** 3;

const replaced = (all, i, change) => all.map((part, at) => (at === i ? { ...part, ...change } : part));
const without = (all, i) => all.filter((_, at) => at !== i);

function Disk({ disk, i, images, onChange, onRemove }) {
  const drive = disk.type === "cdrom";
  const fitting = images.filter((image) => image.type === (drive ? "iso" : "disk") && (image.state === "ready" || image.id === disk.image));
  const label = `${drive ? "Drive" : "Disk"} ${i + 1}`;
  return html`<li class="part">
    <div class="field"><span class="label">${label}</span><select class="input" aria-label="What ${label} is" onChange=${(event) => onChange({ type: event.target.value, image: "", size: "" })}>
      <option value="disk" selected=${!drive}>Disk</option><option value="cdrom" selected=${drive}>CD drive</option></select></div>
    <div class="field"><span class="label">${drive ? "Disc in it" : "Begins as"}</span><select class="input" aria-label="${drive ? "Disc in" : "What is on"} ${label}" onChange=${(event) => onChange({ image: event.target.value })}>
      <option value="" selected=${!disk.image}>${drive ? "None" : "Empty"}</option>
      ${fitting.map((image) => html`<option value=${image.id} selected=${image.id === disk.image}>${image.name} (${bytes(image.size)})</option>`)}</select></div>
    ${drive ? html`<span></span>` : html`<div class="field"><span class="label">Size</span><div class="with-unit"><input class="input" type="number" min="1" step="any" aria-label="Size of ${label} in GiB"
      placeholder=${disk.image ? "as it is" : ""} required=${!disk.image} value=${disk.size ? disk.size / GIB : ""} onInput=${(event) => onChange({ size: event.target.value ? Math.round(Number(event.target.value) * GIB) : "" })} /><span class="unit">GiB</span></div></div>`}
    <button type="button" class="button plain square" aria-label="Remove ${label}" onClick=${onRemove}><${Icon} name="trash" /></button></li>`;
}

export function Disks({ label, value, onValue, wrong }) {
  const images = useAll("image").value || [];
  return html`<fieldset class="field"><legend class="label" style=${{ fontWeight: 550, padding: 0 }}>${label}</legend>
    <ul class="parts-list">${value.map((disk, i) => html`<${Disk} key=${i} disk=${disk} i=${i} images=${images}
      onChange=${(change) => onValue(replaced(value, i, change))} onRemove=${() => onValue(without(value, i))} />`)}</ul>
    <div class="row"><button type="button" class="button slim" onClick=${() => onValue([...value, { type: "disk", size: 20 * GIB }])}><${Icon} name="plus" />Disk</button>
      <button type="button" class="button slim" onClick=${() => onValue([...value, { type: "cdrom" }])}><${Icon} name="plus" />CD drive</button></div>
    ${wrong && html`<span class="wrong" role="alert">${wrong}</span>`}</fieldset>`;
}

export function Nics({ label, value, onValue, wrong }) {
  const networks = useAll("network").value || [];
  return html`<fieldset class="field"><legend class="label" style=${{ fontWeight: 550, padding: 0 }}>${label}</legend>
    <ul class="parts-list">${value.map((nic, i) => html`<li class="part nic" key=${i}>
      <select class="input" aria-label="Network of card ${i + 1}" onChange=${(event) => onValue(replaced(value, i, { network: event.target.value }))}>
        ${!nic.network && html`<option value="">Choose one</option>`}
        ${networks.map((network) => html`<option value=${network.id} selected=${network.id === nic.network}>${network.name}</option>`)}</select>
      <button type="button" class="button plain square" aria-label="Remove card ${i + 1}" onClick=${() => onValue(without(value, i))}><${Icon} name="trash" /></button></li>`)}</ul>
    <div class="row"><button type="button" class="button slim" onClick=${() => onValue([...value, { network: networks[0]?.id || "" }])}><${Icon} name="plus" />Network card</button></div>
    ${wrong && html`<span class="wrong" role="alert">${wrong}</span>`}</fieldset>`;
}
