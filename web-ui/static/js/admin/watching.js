// SPDX-License-Identifier: Apache-2.0
// Who is signed in, and what was done by whom.
import { html, useState } from "../lib/html.js";
import { get, items, query, remove } from "../lib/api.js";
import { useRead } from "../lib/data.js";
import { exactly } from "../lib/format.js";
import { DONE, EVENTS, KINDS, ROLES } from "../lib/words.js";
import { Empty, Head, Loaded, Name, When } from "../parts/basics.js";
import { tried } from "../parts/toast.js";
import { Rows } from "./table.js";

const WITH = { web: "A browser", api: "A script", command: "The command line" };

export function Sessions({ session }) {
  const read = useRead((signal) => get("/sessions", { signal }).then(items), [], (topic) => topic === "session");
  const end = (one) => () => tried(remove(`/sessions/${one.id}`).then(read.reload), `${one.name} is signed out.`);
  const columns = [
    { title: "Who", cell: (one) => html`<b style=${{ fontWeight: 550 }}>${one.full_name || one.name}</b>${one.full_name && html` <small>${one.name}</small>`}` },
    { title: "May", class: "keep", cell: (one) => ROLES[one.role] }, { title: "From", cell: (one) => one.address }, { title: "With", class: "keep", cell: (one) => WITH[one.client] || one.client },
    { title: "Signed in", cell: (one) => html`<${When} time=${one.began} />` }, { title: "Last used", cell: (one) => html`<${When} time=${one.used} />` },
    { class: "tight", cell: (one) => (one.id === session.id ? html`<span class="small soft">You</span>` : html`<button class="button slim" onClick=${end(one)}>Sign out</button>`) },
  ];
  return html`<${Head} title="Signed in" about="Who is signed in at this moment, and from where."><button class="button" onClick=${read.reload}>Look again</button></${Head}>
    <div class="card flush"><${Loaded} read=${read}>${(all) => html`<${Rows} things=${all} columns=${columns} />`}</${Loaded}></div>`;
}

const VERBS = { create: "made", change: "changed", delete: "deleted", add: "made", remove: "removed", want: "switched", take: "took one of", release: "took back", add_member: "added somebody to", remove_member: "took somebody out of",
  set_password: "set the password of", rehash: "hashed anew the password of", set_totp: "changed the second factor of", place: "placed", settle: "settled", arrive: "met", set: "set", clear: "reset", use_totp: "used a code of", use_recovery: "used a recovery code of" };

function detailsOf(line) {
  try {
    return typeof line.details === "string" ? JSON.parse(line.details) : line.details || {};
  } catch {
    return {}; // shown without
  }
}

const ACTORS = { daemon: "Carrel", console: "The host's console" };

const actorOf = (line) => ACTORS[line.actor_name] || line.actor_name || ACTORS[line.actor] || line.actor;

/** That of the kinds which a command was given, by its name. */
function named(details, kinds) {
  const kind = kinds.find((one) => details[one]);
  return kind && html`“<${Name} kind=${kind} id=${details[kind]} />”`;
}

/** Who did what, to what: a sign-in is written down by the daemon, but is what somebody did. */
function told(line) {
  const details = detailsOf(line);
  if (line.command === "audit.note") {
    const [action, ...rest] = details.event === "controlled" ? (details.detail || "").split(" ") : ["", details.detail];
    const more = [details.address, ...rest].filter(Boolean).join(details.event === "controlled" ? " " : ", ");
    const what = html`${DONE[action] || EVENTS[details.event] || details.event}${details.desktop && html` “<${Name} kind="desktop" id=${details.desktop} />”`}`;
    return { who: (!details.user && ACTORS[details.name]) || details.name || (details.user ? html`<${Name} kind="user" id=${details.user} />` : ACTORS[line.actor_name]), what, more };
  }
  const [kind, verb] = line.command.split(".");
  if (line.command === "assignment.create") return { who: actorOf(line), what: html`gave ${named(details, ["user", "group"])} ${named(details, ["desktop", "pool"])}` };
  if (line.command === "assignment.delete") return { who: actorOf(line), what: "took back what somebody had been given" };
  const switched = verb === "want" ? { running: "on", stopped: "off", suspended: "to sleep" }[details.wanted] || "" : "";
  const about = kind === "audit" ? "the log" : `the ${KINDS[kind]?.[0] || kind}${line.thing_name ? ` “${line.thing_name}”` : ""}`;
  return { who: actorOf(line), what: `${VERBS[verb] || verb} ${about} ${switched}` };
}

function What({ line }) {
  const { what, more } = told(line);
  return html`${what}${more && html` <small>${more}</small>`}${line.message && html`<br /><small>Refused: ${line.message}</small>`}`;
}

const AUDIT_COLUMNS = [
  { title: "When", cell: (line) => html`<span title=${exactly(line.time)}><${When} time=${line.time} /></span>` },
  { title: "Who", cell: (line) => told(line).who },
  { title: "What", cell: (line) => html`<${What} line=${line} />` },
  { title: "On", cell: (line) => line.origin },
];
const AUDIT_PAGE = 100;

export function Audit() {
  const [before, set] = useState([]);
  const [command, setCommand] = useState("");
  const read = useRead((signal) => get(`/audit${query({ ...(command && { column: "command", value: command }), before: before.at(-1), limit: AUDIT_PAGE })}`, { signal }).then(items), [before, command],
    (topic) => topic === "things" && !before.length);
  const kinds = [["", "Everything"], ["audit.note", "Sign-ins, connections, snapshots"], ["desktop.want", "Desktops switched on and off"], ["desktop.create", "Desktops made"], ["desktop.delete", "Desktops deleted"],
    ["assignment.create", "Things given"], ["assignment.delete", "Things taken back"], ["user.create", "Users made"], ["user.change", "Users changed"], ["user.set_password", "Passwords set"]];
  return html`<${Head} title="Log" about="Everything that was changed, every sign-in and every connection: when, by whom, from where." />
    <div class="card flush"><div class="tools"><select class="input" aria-label="Which" onChange=${(event) => { setCommand(event.target.value); set([]); }}>${kinds.map(([value, words]) => html`<option value=${value} selected=${value === command}>${words}</option>`)}</select></div>
      <${Loaded} read=${read}>${(lines) => (lines.length ? html`<${Rows} things=${lines.map((line) => ({ id: line.sequence, ...line }))} columns=${AUDIT_COLUMNS} />
      <div class="paging"><button class="button slim" disabled=${!before.length} onClick=${() => set(before.slice(0, -1))}>Newer</button>
        <button class="button slim" disabled=${lines.length < AUDIT_PAGE} onClick=${() => set([...before, lines.at(-1).sequence])}>Older</button></div>` : html`<${Empty} icon="list" title="Nothing yet" />`)}</${Loaded}></div>`;
}
