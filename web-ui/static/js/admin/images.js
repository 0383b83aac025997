// SPDX-License-Identifier: Apache-2.0
// Disk images and discs: uploading them, with how far it is, and what is there.
import { html, useEffect, useState } from "../lib/html.js";
import { post, remove, upload } from "../lib/api.js";
import { bytes, sentence } from "../lib/format.js";
import { listen } from "../lib/live.js";
import { IMAGE_STATES, IMAGE_TYPES } from "../lib/words.js";
import { Head, Progress, State, When } from "../parts/basics.js";
import { Dialog } from "../parts/dialog.js";
import { Choice, Ends, Text, Trouble, useForm } from "../parts/form.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { complain, say } from "../parts/toast.js";
import { useLimits } from "../lib/schema.js";
import { deleteThing, Editor } from "./editor.js";
import { FIELDS } from "./fields.js";
import { Jobs } from "./jobs.js";
import { KindTable } from "./table.js";
import { MakeDesktop } from "./make-desktop.js";

const withoutSuffix = (name) => name.replace(/\.(iso|img|raw|qcow2|vmdk|vdi|vhdx?)(\.(gz|xz|zst))?$/i, "").slice(0, 64);

/** Uploads that go on while one looks at other pages; the browser asks before its window is closed. */
const uploads = new Map();
const watchers = new Set();
const changed = () => watchers.forEach((watcher) => watcher(new Map(uploads)));
const stay = (event) => event.preventDefault();

/** An upload is over when the host has looked at what came: only then is it known whether it is of any use. */
function tellEnd(id, name) {
  const told = { end: false };
  const stop = listen("job", (job) => {
    if (job.thing !== id || job.state === "running") return;
    told.end = true;
    stop();
    if (job.state === "done") say(`“${name}” is ready.`);
    else complain(`“${name}” cannot be used. ${sentence(job.error)}`);
  });
  return told;
}

async function send(file, fields) {
  const image = await post("/images", fields);
  const going = upload(`/images/${image.id}/content`, file, (at) => {
    uploads.set(image.id, { ...uploads.get(image.id), at });
    changed();
  });
  uploads.set(image.id, { name: fields.name, at: 0, cancel: going.cancel });
  addEventListener("beforeunload", stay);
  changed();
  const told = tellEnd(image.id, fields.name);
  going.done.then(() => {}, async (error) => {
    if (error.code !== "cancelled" && !told.end) complain(error);
    await remove(`/images/${image.id}`).catch(() => {}); // what is half there is of no use to anybody
  }).finally(() => {
    uploads.delete(image.id);
    if (!uploads.size) removeEventListener("beforeunload", stay);
    changed();
  });
  return image;
}

function UploadDialog({ file, onClose, kind }) {
  const [chosen, setChosen] = useState(file);
  const [over, setOver] = useState(false);
  const limits = useLimits("image");
  const guess = (name = "") => (/\.iso$/i.test(name) ? "iso" : kind || "disk");
  const form = useForm({ name: withoutSuffix(file?.name || ""), type: guess(file?.name), description: "" }, async ({ name, type, description }) => {
    await send(chosen, { name: name.trim(), type, ...(description && { description }) });
    onClose();
  });
  const take = (taken) => {
    if (!taken) return;
    setChosen(taken);
    form.set("type", guess(taken.name));
    if (!form.values.name) form.set("name", withoutSuffix(taken.name));
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files[0]);
  };
  return html`<${Dialog} title="Upload an image" onClose=${onClose}><form class="form" onSubmit=${form.submit}>
    <${Trouble} form=${form} fields=${["name", "type", "description"]} />
    <label class="drop ${over ? "over" : ""}" onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      <${Icon} name="upload" />${chosen ? html`<b class="wrap">${chosen.name}</b><small>${bytes(chosen.size)}</small>` : html`<b>Drop a file here, or choose one</b><small>ISO, raw, qcow2, vmdk, vdi or vhdx</small>`}
      <input class="unseen" type="file" name="file" required=${!chosen} onChange=${(event) => take(event.target.files[0])} /></label>
    <${Choice} ...${form.bind("type")} label="What it is" options=${Object.entries(IMAGE_TYPES)} />
    <${Text} ...${form.bind("name")} label="Name" required limits=${limits.name} />
    <${Text} ...${form.bind("description")} label="A line about it" limits=${limits.description} />
    <${Ends} form=${form} yes="Upload" onCancel=${onClose} /></form></${Dialog}>`;
}

function Uploads() {
  const [all, set] = useState(new Map(uploads));
  useEffect(() => {
    watchers.add(set);
    return () => watchers.delete(set);
  }, []);
  if (!all.size) return null;
  return html`<section class="card stack"><h2>Being uploaded</h2>${[...all].map(([id, one]) => html`<div class="stack tight" key=${id}>
    <div class="between"><span class="wrap">${one.name}</span><span class="row"><span class="small soft">${Math.round(one.at * 100)} %</span>
      <button class="button plain slim" onClick=${one.cancel}>Cancel</button></span></div><${Progress} at=${one.at} label="Upload of ${one.name}" /></div>`)}</section>`;
}

export function Images({ route }) {
  const [shown, show] = useState(route.query.new !== undefined ? { upload: true } : null);
  const close = () => show(null);
  const drop = (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) show({ upload: true, file: event.dataTransfer.files[0] });
  };
  const columns = [
    { title: "Name", cell: (image) => html`<b style=${{ fontWeight: 550 }}>${image.name}</b>${image.description && html`<br /><small>${image.description}</small>`}` },
    { title: "What", class: "keep", cell: (image) => IMAGE_TYPES[image.type] },
    { title: "State", cell: (image) => html`<${State} of=${image.state} words=${IMAGE_STATES} />` },
    { title: "Size", class: "number", cell: (image) => (image.size ? bytes(image.size) : "") },
    { title: "Since", cell: (image) => html`<${When} time=${image.created} />` },
    { class: "tight", cell: (image) => html`<${Menu} label="What to do with ${image.name}" button=${html`<${Icon} name="dots" />`} items=${[
      image.state === "ready" && { label: image.type === "iso" ? "Install a desktop from it" : "Make a desktop of it", icon: html`<${Icon} name="desk" />`, do: () => show({ make: image }) },
      { label: "Change", icon: html`<${Icon} name="edit" />`, do: () => show({ edit: image }) },
      { label: "Delete", icon: html`<${Icon} name="trash" />`, danger: true, line: true, do: () => deleteThing("image", image) },
    ]} />` },
  ];
  const button = html`<button class="button main" onClick=${() => show({ upload: true })}><${Icon} name="upload" />Upload</button>`;
  return html`<div class="stack" style=${{ gap: "1.5rem" }} onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
    <${Head} title="Images" about="Disks that desktops begin as, and discs that systems are installed from.">${button}</${Head}>
    <${Uploads} /><${Jobs} of=${(job) => job.kind === "image"} />
    <${KindTable} kind="image" columns=${columns} filters=${[["All", {}], ["Disks", { filter: "type", value: "disk" }], ["Discs (ISO)", { filter: "type", value: "iso" }]]}
      empty=${{ icon: "disc", title: "No images yet", children: html`<p>Upload the ISO of an installer, or the disk of a system that is already installed. You can drop the file anywhere on this page.</p>${button}` }} />
    ${shown?.upload && html`<${UploadDialog} file=${shown.file} onClose=${close} />`}
    ${shown?.edit && html`<${Editor} kind="image" thing=${shown.edit} fields=${FIELDS.image} title=${shown.edit.name} onClose=${close} />`}
    ${shown?.make && html`<${MakeDesktop} image=${shown.make} onClose=${close} />`}</div>`;
}
