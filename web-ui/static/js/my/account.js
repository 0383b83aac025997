// SPDX-License-Identifier: Apache-2.0
// One's own password, second factor, and where one is signed in.
import { encode } from "uqr";
import { html, useState } from "../lib/html.js";
import { get, items, post, put, remove, request } from "../lib/api.js";
import { useRead } from "../lib/data.js";
import { findOut, useSession } from "../lib/session.js";
import { Head, Loaded, Note, When } from "../parts/basics.js";
import { Dialog } from "../parts/dialog.js";
import { Ends, Text, Trouble, useForm } from "../parts/form.js";
import { say, tried } from "../parts/toast.js";

function PasswordForm({ session }) {
  const start = { old: "", new: "", again: "" };
  const form = useForm(start, async (values) => {
    if (values.new !== values.again) throw { message: "The two are not the same.", field: "again" };
    await put(`/users/${session.user}/password`, { old: values.old, new: values.new });
    for (const name of Object.keys(start)) form.set(name, "");
    say("Your password is changed. You are signed out everywhere else.");
  });
  return html`<section class="card"><h2>Password</h2><form class="form" onSubmit=${form.submit}>
    <${Trouble} form=${form} fields=${["old", "new", "again"]} />
    <${Text} ...${form.bind("old")} label="The one you have" type="password" autocomplete="current-password" required />
    <div class="pair"><${Text} ...${form.bind("new")} label="The new one" type="password" autocomplete="new-password" required />
      <${Text} ...${form.bind("again")} label="The new one again" type="password" autocomplete="new-password" required /></div>
    <${Ends} form=${form} yes="Change password" /></form></section>`;
}

/** The URI as a square that phones read. */
function QrCode({ text }) {
  const { data, size } = encode(text, { border: 2, ecc: "M" });
  let path = "";
  data.forEach((row, y) => row.forEach((dark, x) => {
    if (dark) path += `M${x} ${y}h1v1h-1z`;
  }));
  return html`<svg class="qr" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges" role="img" aria-label="Code to scan with the app"><path d=${path} fill="#000" /></svg>`;
}

function PasswordStep({ title, about, yes, onDone, onClose }) {
  const form = useForm({ password: "" }, ({ password }) => onDone(password));
  return html`<${Dialog} title=${title} onClose=${onClose}><form class="form" onSubmit=${form.submit}>
    <p>${about}</p><${Trouble} form=${form} fields=${["password"]} />
    <${Text} ...${form.bind("password")} label="Your password" type="password" autocomplete="current-password" required autofocus />
    <${Ends} form=${form} yes=${yes} onCancel=${onClose} /></form></${Dialog}>`;
}

function ScanStep({ factor, onDone, onClose }) {
  const form = useForm({ code: "" }, async ({ code }) => {
    const answer = await put("/session/totp", { secret: factor.secret, code: code.replace(/\s/g, "") });
    onDone(answer?.recovery || []);
  });
  return html`<${Dialog} title="Scan this with your app" onClose=${onClose}><form class="form" onSubmit=${form.submit}>
    <${QrCode} text=${factor.uri} />
    <p class="small soft wrap">If you cannot scan it, type this into the app: <code>${factor.secret.replace(/(.{4})/g, "$1 ")}</code></p>
    <${Trouble} form=${form} fields=${["code"]} />
    <${Text} ...${form.bind("code")} label="The code that the app shows now" class="input code-input" inputmode="numeric" autocomplete="one-time-code" required />
    <${Ends} form=${form} yes="Switch on" onCancel=${onClose} /></form></${Dialog}>`;
}

const RecoveryStep = ({ codes, onClose }) => html`<${Dialog} title="Keep these codes" onClose=${onClose}>
  <p>Each lets you in once, if you lose your phone. They are shown only now: write them down or print them.</p>
  <ul class="recovery">${codes.map((code) => html`<li>${code}</li>`)}</ul>
  <div class="form"><div class="ends"><button class="button" onClick=${() => navigator.clipboard?.writeText(codes.join("\n")).then(() => say("Copied."))}>Copy</button>
    <button class="button main" onClick=${onClose}>I have kept them</button></div></div></${Dialog}>`;

function SecondFactor({ session }) {
  const [step, set] = useState(null);
  const close = () => set(null);
  const begin = async (password) => set({ scan: await post("/session/totp", { password }) });
  const end = async (password) => {
    await request("DELETE", `/users/${session.user}/totp`, { body: { password } });
    close();
    await findOut();
    say("The second factor is off.");
  };
  const confirmed = async (recovery) => {
    set({ recovery });
    await findOut();
  };
  return html`<section class="card stack"><h2>Second factor</h2>
    <p class="soft">A code from an app on your phone, asked for after your password. Whoever learns your password still cannot get in.</p>
    <div class="between">${session.second_step ? html`<span class="state good">On</span><button class="button danger" onClick=${() => set("end")}>Switch off</button>`
      : html`<span class="state">Off</span><button class="button main" onClick=${() => set("begin")}>Set it up</button>`}</div>
    ${step === "begin" && html`<${PasswordStep} title="Set up a second factor" about="You need an authenticator app on your phone." yes="Go on" onDone=${begin} onClose=${close} />`}
    ${step === "end" && html`<${PasswordStep} title="Switch the second factor off" about="Your password alone lets you in then." yes="Switch off" onDone=${end} onClose=${close} />`}
    ${step?.scan && html`<${ScanStep} factor=${step.scan} onDone=${confirmed} onClose=${close} />`}
    ${step?.recovery && html`<${RecoveryStep} codes=${step.recovery} onClose=${close} />`}</section>`;
}

function Places({ session }) {
  const read = useRead((signal) => get("/sessions", { signal }).then((answer) => items(answer).filter((one) => one.user === session.user)), [session.user]);
  const end = (id) => () => tried(remove(`/sessions/${id}`).then(read.reload));
  return html`<section class="card flush"><h2>Where you are signed in</h2><${Loaded} read=${read}>${(all) => html`
    <div class="scroll"><table class="table folds"><thead><tr><th>From</th><th>With</th><th>Last used</th><th></th></tr></thead><tbody>
      ${all.map((one) => html`<tr key=${one.id}><td data-label="From">${one.address || "–"}</td><td data-label="With">${{ web: "A browser", api: "A script", command: "The command line" }[one.client] || one.client}</td>
        <td data-label="Last used"><${When} time=${one.used || one.began} /></td>
        <td class="tight">${one.id === session.id ? html`<span class="soft small">Here</span>` : html`<button class="button slim" onClick=${end(one.id)}>Sign out</button>`}</td></tr>`)}
    </tbody></table></div>`}</${Loaded}></section>`;
}

export function Account() {
  const session = useSession();
  const local = !session.source || session.source === "local";
  return html`<${Head} title="Your account" about=${session.full_name ? `${session.full_name}, signed in as ${session.name}` : `Signed in as ${session.name}`} />
    <div class="halves">
      ${local ? html`<${PasswordForm} session=${session} />` : html`<${Note} icon="key">Your password is kept by your office's directory (${session.source}). Change it there.</${Note}>`}
      <${SecondFactor} session=${session} /></div>
    <${Places} session=${session} />`;
}
