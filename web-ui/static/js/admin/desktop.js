// SPDX-License-Identifier: Apache-2.0
// One desktop: its picture, how it does, its disks and drives, its snapshots, and who has it.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { get, items, post } from "../lib/api.js";
import { useAll, useList, useLive, useRead, useThing } from "../lib/data.js";
import { bytes, mebibytes, percent, sentence } from "../lib/format.js";
import { link } from "../lib/route.js";
import { isAdmin } from "../lib/session.js";
import { FIRMWARE, GUEST_OS, isBusy, stateOf } from "../lib/words.js";
import { Head, Loaded, Name, Note, Progress, Spark, State, When } from "../parts/basics.js";
import { ask, Dialog } from "../parts/dialog.js";
import { Ends, Select, Text, Trouble, useForm } from "../parts/form.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { tried } from "../parts/toast.js";
import { Picture } from "../my/desktops.js";
import { act, actionsFor } from "./control.js";
import { DesktopDialog } from "./desktop-dialogs.js";
import { takeBack } from "./give.js";
import { Jobs } from "./jobs.js";

const KEPT = 90;
const SCREEN_EVERY_MS = 4000;
const GIB = 1024 ** 3;

/** The last values of a figure, as they came. */
export function useHistory(value) {
  const kept = useRef([]);
  const last = useRef();
  if (value !== undefined && value !== last.current) {
    last.current = value;
    kept.current = [...kept.current.slice(1 - KEPT), value];
  }
  return kept.current;
}

/** How fast a counter of bytes grows. */
function useRate(total) {
  const before = useRef();
  const rate = useRef();
  const now = performance.now();
  if (total !== undefined && total !== before.current?.total) {
    if (before.current && total >= before.current.total) rate.current = (total - before.current.total) / Math.max(0.2, (now - before.current.now) / 1000);
    before.current = { total, now };
  }
  return rate.current;
}

const perSecond = (rate) => (rate === undefined ? "–" : `${bytes(Math.round(rate))}/s`);
const sum = (a, b) => (a === undefined ? undefined : Number(a) + Number(b || 0));

function Figures({ live, desktop }) {
  const cpu = live.cpu === undefined ? undefined : Number(live.cpu) / desktop.vcpus;
  const history = useHistory(cpu);
  const disk = useRate(sum(live.disk_read, live.disk_written)), net = useRate(sum(live.net_received, live.net_sent));
  const diskHistory = useHistory(disk), netHistory = useHistory(net);
  return html`<section class="tiles">
    <div class="card tile"><span class="soft small">Processors</span><span class="figure">${cpu === undefined ? "–" : percent(cpu)}</span><${Spark} values=${history} top=${1} label="Use of its processors" /></div>
    <div class="card tile"><span class="soft small">Memory of the host</span><span class="figure">${live.memory ? bytes(live.memory) : "–"}</span><span class="small soft">of ${mebibytes(desktop.memory)} it may take</span></div>
    <div class="card tile"><span class="soft small">Disks</span><span class="figure">${perSecond(disk)}</span><${Spark} values=${diskHistory} label="Bytes to and from its disks" /></div>
    <div class="card tile"><span class="soft small">Network</span><span class="figure">${perSecond(net)}</span><${Spark} values=${netHistory} label="Bytes over its network" /></div></section>`;
}

const milliseconds = (us) => (us === undefined ? undefined : Number(us) / 1000);
const inMilliseconds = (ms) => (ms === undefined ? "–" : `${ms.toFixed(1)} ms`);

/** How good it is for those who are there, as far as the desktop can tell: the way to them is not in it. */
function Quality({ live }) {
  const age = milliseconds(live.frame_age_us), input = milliseconds(live.input_us);
  const ages = useHistory(age), inputs = useHistory(input);
  const net = useRate(sum(live.client_sent, live.client_received));
  return html`<dl class="facts"><dt>From</dt><dd>${live.clients.join(", ")}</dd>
    <dt>A picture takes</dt><dd>${inMilliseconds(age)}<${Spark} values=${ages} label="How long pictures take to clients" /></dd>
    <dt>From a key to its picture</dt><dd>${inMilliseconds(input)}<${Spark} values=${inputs} label="How long inputs wait for a picture" /></dd>
    <dt>To and from them</dt><dd>${perSecond(net)}</dd><dt>Faults of USB</dt><dd>${live.usb_errors ?? 0}</dd></dl>`;
}

function Connected({ live }) {
  return html`<section class="card"><h2>Who is connected</h2>${live.clients?.length ? html`<${Quality} live=${live} />` : html`<p class="soft">Nobody.</p>`}</section>`;
}

function ResizeDialog({ desktop, place, size, onClose }) {
  const form = useForm({ bytes: size ? size / GIB : "" }, async (values) => {
    await post(`/desktops/${desktop.id}/actions/resize`, { disk: place, bytes: Math.round(values.bytes * GIB) });
    onClose();
  });
  return html`<${Dialog} title="Make the disk larger" onClose=${onClose}><form class="form" onSubmit=${form.submit}><${Trouble} form=${form} fields=${["bytes"]} />
    <${Text} ...${form.bind("bytes")} label="New size" type="number" min="1" step="any" unit="GiB" required autofocus hint="A disk only grows. The system on it has to be told by its own means." />
    <${Ends} form=${form} yes="Make it larger" onCancel=${onClose} /></form></${Dialog}>`;
}

function InsertDialog({ desktop, place, onClose }) {
  const discs = (useAll("image").value || []).filter((image) => image.type === "iso" && image.state === "ready");
  const form = useForm({ image: "" }, async ({ image }) => {
    await post(`/desktops/${desktop.id}/actions/insert`, { drive: place, image });
    onClose();
  });
  return html`<${Dialog} title="Put a disc into the drive" onClose=${onClose}><form class="form" onSubmit=${form.submit}><${Trouble} form=${form} fields=${["image"]} />
    <${Select} ...${form.bind("image")} label="Disc" required options=${[["", discs.length ? "Choose one" : "There is no disc yet"], ...discs.map((image) => [image.id, image.name])]} />
    <${Ends} form=${form} yes="Insert" onCancel=${onClose} /></form></${Dialog}>`;
}

function Disks({ desktop }) {
  const [dialog, set] = useState(null);
  const close = () => set(null);
  return html`<section class="card"><h2>Disks and drives</h2><ul class="members">${(desktop.disks || []).map((disk, place) => html`<li key=${place}>
    <span class="wrap">${disk.type === "cdrom" ? html`CD drive: ${disk.image ? html`<${Name} kind="image" id=${disk.image} />` : html`<span class="soft">empty</span>`}`
      : html`Disk${disk.size ? ` of ${bytes(disk.size)}` : ""}${disk.image && html`, began as <${Name} kind="image" id=${disk.image} />`}`}</span>
    ${disk.type === "cdrom" ? html`<span class="row">${disk.image && html`<button class="button slim" onClick=${() => act(desktop, "eject", { drive: place })}>Eject</button>`}
        <button class="button slim" onClick=${() => set({ insert: place })}>Insert</button></span>`
      : html`<button class="button slim" onClick=${() => set({ resize: place, size: disk.size })}>Larger</button>`}</li>`)}</ul>
    ${dialog?.resize !== undefined && html`<${ResizeDialog} desktop=${desktop} place=${dialog.resize} size=${dialog.size} onClose=${close} />`}
    ${dialog?.insert !== undefined && html`<${InsertDialog} desktop=${desktop} place=${dialog.insert} onClose=${close} />`}</section>`;
}

function Snapshots({ desktop, onTake }) {
  const read = useRead((signal) => get(`/desktops/${desktop.id}/snapshots`, { signal }).then(items), [desktop.id],
    (topic, data) => topic === "job" && data.thing === desktop.id && data.state !== "running");
  const revert = async (snapshot) => {
    if (await ask({ title: `Go back to “${snapshot.name}”?`, text: "What was changed on its disks since then is lost.", yes: "Go back" })) await act(desktop, "revert", { snapshot: snapshot.id });
    read.reload();
  };
  const forget = async (snapshot) => {
    if (await ask({ title: `Forget “${snapshot.name}”?`, text: "One cannot go back to it any more.", yes: "Forget" })) await act(desktop, "forget", { snapshot: snapshot.id });
    read.reload();
  };
  return html`<section class="card"><div class="between"><h2>Snapshots</h2><button class="button slim" onClick=${onTake}><${Icon} name="camera" />Take one</button></div>
    <${Loaded} read=${read}>${(all) => (all.length ? html`<ul class="members">${all.map((snapshot) => html`<li key=${snapshot.id}>
      <span class="wrap">${snapshot.name || "No name"}<br /><small><${When} time=${snapshot.created} />, ${bytes(snapshot.bytes)}${snapshot.frozen && ", in order"}</small></span>
      <span class="row"><button class="button slim" onClick=${() => revert(snapshot)}>Go back to it</button>
        <button class="button plain square slim" aria-label="Forget ${snapshot.name}" onClick=${() => forget(snapshot)}><${Icon} name="trash" /></button></span></li>`)}</ul>`
      : html`<p class="soft">None.</p>`)}</${Loaded}></section>`;
}

function Given({ desktop, onGive }) {
  const read = useList("assignment", { filter: "desktop", value: desktop.id });
  return html`<section class="card"><div class="between"><h2>Who has it</h2><button class="button slim" onClick=${onGive}><${Icon} name="gift" />Give</button></div>
    ${desktop.user && html`<p>Taken from its pool by <b><${Name} kind="user" id=${desktop.user} /></b>.</p>`}
    <ul class="members">${(read.value?.items || []).map((one) => html`<li key=${one.id}><span>${one.user ? html`<${Name} kind="user" id=${one.user} />` : html`Everybody in <${Name} kind="group" id=${one.group} />`}</span>
      <button class="button slim" onClick=${() => takeBack(one)}>Take back</button></li>`)}</ul>
    ${!desktop.user && !read.value?.items?.length && html`<p class="soft">Nobody.</p>`}</section>`;
}

const LIMITS = [["cpu_percent", "% of a processor"], ["disk_read_mib", " MiB/s from disks"], ["disk_write_mib", " MiB/s to disks"], ["disk_read_ops", " reads a second"],
  ["disk_write_ops", " writes a second"]];
const UNLIMITED = { cpu: "processors", disk: "disks" };

/** What it may take of the host; and of that what does not hold, which only the kernel knows. */
function Limits({ desktop, live }) {
  const wanted = LIMITS.filter(([name]) => desktop[name]).map(([name, unit]) => `${desktop[name]}${unit}`);
  const missing = (live.unlimited || []).filter((kind) => UNLIMITED[kind]).map((kind) => UNLIMITED[kind]);
  return html`<dd>${wanted.join(", ") || "As much as it likes"}${missing.length > 0 && html`<br /><small class="soft">Not limited now: ${missing.join(", ")}. It holds from the next start on, where the host can.</small>`}</dd>`;
}

const Facts = ({ desktop, live }) => html`<section class="card"><h2>What it is</h2><dl class="facts">
  <dt>System</dt><dd>${GUEST_OS[desktop.guest_os] || "–"}</dd><dt>Memory</dt><dd>${mebibytes(desktop.memory)}</dd><dt>Processors</dt><dd>${desktop.vcpus}</dd>
  <dt>May take</dt><${Limits} desktop=${desktop} live=${live} /><dt>Starts by</dt><dd>${FIRMWARE[desktop.firmware] || "–"}${desktop.secure_boot && ", Secure Boot"}${desktop.tpm && ", TPM 2.0"}</dd>
  <dt>Made from</dt><dd><${Name} kind="template" id=${desktop.template} /></dd><dt>Pool</dt><dd><${Name} kind="pool" id=${desktop.pool} /></dd>
  <dt>Policy</dt><dd><${Name} kind="policy" id=${desktop.policy} none=${desktop.pool ? "As its pool says" : "None: no clipboard, no files, no USB"} /></dd>
  <dt>Network</dt><dd>${!desktop.nics?.length && "None"}${(desktop.nics || []).map((nic) => html`<div><${Name} kind="network" id=${nic.network} />${nic.mac && html` <code>${nic.mac}</code>`}</div>`)}</dd>
  <dt>Since</dt><dd><${When} time=${desktop.created} /></dd></dl></section>`;

function Screen({ desktop, state, live }) {
  const busy = isBusy(state);
  const without = (forbidden) => html`<div class="picture off"><${Icon} name=${forbidden ? "lock" : state === "running" ? "desk" : "power"} />
    ${forbidden && html`<span class="small">It is somebody's. Ask them whether you may look on.</span>`}</div>`;
  const shown = state === "running" || state === "suspended";
  const [forbidden, setForbidden] = useState(false);
  return html`<section class="card stack">${shown ? html`<${Picture} id=${desktop.id} live=${state === "running"} every=${SCREEN_EVERY_MS} class="picture" without=${without} onForbidden=${() => setForbidden(true)} />` : without(false)}
    ${busy && html`<${Progress} at=${live.progress} label="How far it is" />`}${live.detail && html`<p class="small soft wrap">${sentence(live.detail)}</p>`}
    <div class="row">${forbidden ? html`<a class="button main" href=${link("view", desktop.id, "watch")}><${Icon} name="eye" />Ask to look on</a>`
      : html`<a class="button main" href=${link("view", desktop.id)}>Open its screen</a>`}
      ${state === "running" ? html`<button class="button" onClick=${() => act(desktop, "shut-down")}><${Icon} name="power" />Shut down</button>`
        : html`<button class="button" disabled=${busy} onClick=${() => act(desktop, "start")}><${Icon} name="play" />${state === "suspended" ? "Wake up" : "Start"}</button>`}</div></section>`;
}

function Whole({ desktop, session }) {
  const [dialog, setDialog] = useState(null);
  const live = useLive([desktop.id])[desktop.id] || {};
  const state = stateOf(live, desktop.wanted);
  return html`<${Head} title=${desktop.name} about=${desktop.description} back=${[link("desktops"), "Desktops"]}><${State} of=${state} />
      <${Menu} label="What to do" class="button" button=${html`What to do<${Icon} name="dots" />`} items=${actionsFor(desktop, state, setDialog, { admin: isAdmin(session) })} /></${Head}>
    ${state === "failed" && html`<${Note} look="bad">${sentence(live.detail) || "It failed, and does not say why."}</${Note}>`}
    <${Jobs} of=${(job) => job.thing === desktop.id} />
    ${state === "running" && html`<${Figures} live=${live} desktop=${desktop} />`}
    <div class="halves"><div class="stack"><${Screen} desktop=${desktop} state=${state} live=${live} /><${Connected} live=${live} /><${Disks} desktop=${desktop} /></div>
      <div class="stack"><${Facts} desktop=${desktop} live=${live} />${isAdmin(session) && html`<${Given} desktop=${desktop} onGive=${() => setDialog("give")} />`}
        <${Snapshots} desktop=${desktop} onTake=${() => setDialog("snapshot")} /></div></div>
    ${dialog && html`<${DesktopDialog} key=${dialog} desktop=${desktop} what=${dialog} onClose=${() => setDialog(null)} />`}`;
}

export function Desktop({ id, session }) {
  const read = useThing("desktop", id);
  return html`<${Loaded} read=${read}>${(desktop) => html`<${Whole} desktop=${desktop} session=${session} />`}</${Loaded}>`;
}
