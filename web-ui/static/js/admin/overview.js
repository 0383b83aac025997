// SPDX-License-Identifier: Apache-2.0
// The house at a glance: the host, what is on, who is there, what goes on; and the first steps while it is empty.
import { html, useEffect } from "../lib/html.js";
import { get, items } from "../lib/api.js";
import { useList, useLive, useRead } from "../lib/data.js";
import { bytes, count, percent } from "../lib/format.js";
import { link } from "../lib/route.js";
import { isAdmin } from "../lib/session.js";
import { stateOf } from "../lib/words.js";
import { Empty, Head, Loaded, Name, Note, Progress, Spark, State, When } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";
import { useHistory } from "./desktop.js";
import { Jobs } from "./jobs.js";
import { Rows } from "./table.js";

const HOST_EVERY_MS = 3000;
const SHOWN_DESKTOPS = 60;

/** What the host says of itself, every few seconds while somebody looks. */
export function useHost() {
  const read = useRead((signal) => get("/host", { signal }), []);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || read.reload(), HOST_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return read;
}

/** What somebody should look after, in sentences. */
export function Warnings({ host }) {
  if (!host?.warnings?.length) return null;
  return html`<${Note} look="wait"><ul class="stack tight">${host.warnings.map((warning) => html`<li class="wrap">${warning}</li>`)}</ul></${Note}>`;
}

function HostTiles({ host }) {
  const cpu = Number(host.cpu ?? 0) / (host.cpus || 1);
  const used = 1 - host.memory_free / host.memory, stored = 1 - host.storage_free / host.storage_bytes;
  const cpuHistory = useHistory(cpu), memoryHistory = useHistory(used);
  const look = (part) => (part > 0.95 ? "bad" : part > 0.85 ? "wait" : "");
  return html`<section class="tiles" aria-label="The host">
    <div class="card tile"><span class="soft small">Processors of ${host.name}</span><span class="figure">${percent(cpu)}</span><span class="small soft">${count(host.cpus, "processor")}</span><${Spark} values=${cpuHistory} top=${1} label="Use of the host's processors" /></div>
    <div class="card tile"><span class="soft small">Memory</span><span class="figure">${percent(used)}</span><span class="small soft">${bytes(host.memory - host.memory_free)} of ${bytes(host.memory)} used; ${bytes(host.memory_promised)} promised</span><${Spark} values=${memoryHistory} top=${1} label="Use of the host's memory" /></div>
    <div class="card tile"><span class="soft small">Storage</span><span class="figure">${percent(stored)}</span><span class="small soft">${bytes(host.storage_free)} free of ${bytes(host.storage_bytes)}</span>
      <${Progress} at=${stored} look=${look(stored)} label="Use of the storage" /><span class="small soft wrap">${host.storage}</span></div></section>`;
}

/** As many things of a kind as somebody could go on with: an image that did not come is none. */
function useCount(kind) {
  const list = useList(kind, { limit: 100 }).value;
  return list && (kind === "image" ? list.items.filter((image) => image.state === "ready").length : list.count);
}

const STEPS = [
  ["image", "Upload an image", "The ISO of an installer, or a disk with a system on it.", "Upload", ["images"], "?new"],
  ["template", "Make a desktop, and a template of it", "Install and set it up once; then turn it into a template.", "Make a desktop", ["desktops"], "?new"],
  ["pool", "Make a pool", "It makes desktops from the template when people come.", "Make a pool", ["pools"], "?new"],
  ["assignment", "Give it to somebody", "A user or a whole group. They sign in here and find it.", "Give it", ["assignments"], ""],
];

function FirstSteps() {
  const counts = Object.fromEntries(STEPS.map(([kind]) => [kind, useCount(kind)]));
  const desktops = useCount("desktop"), users = useCount("user");
  if (Object.values(counts).some((n) => n === undefined) || counts.assignment > 0) return null;
  const done = (kind) => counts[kind] > 0;
  const now = STEPS.findIndex(([kind]) => !done(kind));
  const templateStep = desktops > 0 ? ["template", "Turn your desktop into a template", "Shut it down once it is set up, and choose “Turn it into a template”.", "To the desktops", ["desktops"], ""] : null;
  const others = { assignment: users > 1 ? null : ["assignment", "Make a user, and give it to them", "They sign in here with the name and the password that you choose, and find it.", "Make a user", ["users"], "?new"], template: templateStep };
  return html`<section aria-label="First steps" class="stack"><h2>Four steps to the first user's desktop</h2><ol class="steps">${STEPS.map((given, i) => {
    const [kind, title, text, word, path, query] = others[given[0]] || given;
    return html`<li class="step ${done(kind) ? "done" : i === now ? "now" : ""}"><span class="ordinal">${done(kind) ? html`<${Icon} name="check" />` : i + 1}</span><h3>${title}${done(kind) && html`<span class="unseen"> (done)</span>`}</h3>
      <p class="small soft">${text}</p>${i === now && html`<a class="button main" href=${link(...path) + query}>${word}</a>`}</li>`;
  })}</ol></section>`;
}

function Running({ desktops }) {
  const live = useLive(desktops.map((desktop) => desktop.id));
  const columns = [
    { title: "Name", cell: (desktop) => html`<a href=${link("desktops", desktop.id)}>${desktop.name}</a>` },
    { title: "State", cell: (desktop) => html`<${State} of=${stateOf(live[desktop.id], desktop.wanted)} />` },
    { title: "User", cell: (desktop) => html`<${Name} kind="user" id=${desktop.user} />` },
    { title: "From", cell: (desktop) => live[desktop.id]?.clients?.join(", ") },
    { title: "CPU", class: "number", cell: (desktop) => (live[desktop.id]?.cpu === undefined ? "" : percent(live[desktop.id].cpu)) },
  ];
  // Those that somebody sits at come first.
  const order = [...desktops].sort((a, b) => (live[b.id]?.clients?.length || 0) - (live[a.id]?.clients?.length || 0));
  return html`<${Rows} things=${order.slice(0, 12)} columns=${columns} />`;
}

export function Overview({ session }) {
  const host = useHost();
  const running = useList("desktop", { filter: "wanted", value: "running", limit: SHOWN_DESKTOPS });
  const signedIn = useRead((signal) => get("/sessions", { signal }).then(items), [], (topic) => topic === "session");
  return html`<${Head} title="Overview" />
    <${Warnings} host=${host.value} />
    ${isAdmin(session) && html`<${FirstSteps} />`}
    <${Loaded} read=${host}>${(value) => html`<${HostTiles} host=${value} />`}</${Loaded}>
    <${Jobs} />
    <div class="halves">
      <section class="card flush"><div class="tools between"><h2>On now</h2><a href=${link("desktops")}>${running.value ? count(running.value.count, "desktop") : "All"}</a></div>
        <${Loaded} read=${running}>${(list) => (list.items.length ? html`<${Running} desktops=${list.items} />` : html`<${Empty} icon="power" title="Nothing is on"><p>Desktops start when their users come.</p></${Empty}>`)}</${Loaded}></section>
      <section class="card flush"><div class="tools between"><h2>Signed in</h2>${isAdmin(session) && html`<a href=${link("sessions")}>All</a>`}</div>
        <${Loaded} read=${signedIn}>${(all) => html`<${Rows} things=${all.slice(0, 12)} columns=${[
          { title: "Who", cell: (one) => one.full_name || one.name }, { title: "From", cell: (one) => one.address }, { title: "Last used", cell: (one) => html`<${When} time=${one.used || one.began} />` },
        ]} />`}</${Loaded}></section></div>`;
}
