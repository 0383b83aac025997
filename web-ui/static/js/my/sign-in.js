// SPDX-License-Identifier: Apache-2.0
// The door: name and password, then a code where there is a second factor.
import { html, useEffect, useState } from "../lib/html.js";
import { signIn, signInCode, whyOut } from "../lib/session.js";
import { Note } from "../parts/basics.js";
import { Text, Trouble, useForm } from "../parts/form.js";

function PasswordStep({ onCode }) {
  const form = useForm({ name: "", password: "" }, async ({ name, password }) => {
    const step = await signIn(name.trim(), password);
    if (step) onCode(step.challenge);
  });
  useEffect(() => {
    if (!form.error) return;
    form.set("password", "");
    document.getElementById("field-password")?.focus();
  }, [form.error]);
  return html`<form class="form" onSubmit=${form.submit}>
    <${Trouble} form=${form} />
    ${!form.error && whyOut() && html`<${Note} look="wait">${whyOut()}</${Note}>`}
    <${Text} ...${form.bind("name")} label="Name" autocomplete="username" autofocus required autocapitalize="none" spellcheck=${false} />
    <${Text} ...${form.bind("password")} label="Password" type="password" autocomplete="current-password" required />
    <button class="button main big wide" type="submit" disabled=${form.busy}>${form.busy ? "One moment …" : "Sign in"}</button></form>`;
}

function CodeStep({ challenge, onBack }) {
  const form = useForm({ code: "" }, ({ code }) => signInCode(challenge, code.replace(/\s/g, "")));
  useEffect(() => {
    if (form.error) form.set("code", ""); // it was tried; the app shows another
    document.getElementById("field-code")?.focus();
  }, [form.error]);
  return html`<form class="form" onSubmit=${form.submit}>
    <${Trouble} form=${form} />
    <${Text} ...${form.bind("code")} label="Code" hint="From your authenticator app; or one of your recovery codes." class="input code-input"
      autocomplete="one-time-code" required />
    <button class="button main big wide" type="submit" disabled=${form.busy}>${form.busy ? "One moment …" : "Go on"}</button>
    <button class="button plain wide" type="button" onClick=${onBack}>Back</button></form>`;
}

export function SignIn() {
  const [challenge, set] = useState("");
  useEffect(() => {
    document.title = "Sign in – Carrel";
  }, []);
  return html`<main class="door"><div class="door-card">
    <div class="door-head"><img src="/icon.svg" alt="" /><h1>Carrel</h1>
      <p class="soft">${challenge ? "One more step." : "Sign in to get to your desktop."}</p></div>
    ${challenge ? html`<${CodeStep} challenge=${challenge} onBack=${() => set("")} />` : html`<${PasswordStep} onCode=${set} />`}
  </div></main>`;
}
