// SPDX-License-Identifier: Apache-2.0
// Users and groups.
import { html, useState } from "../lib/html.js";
import { get, post, put, request } from "../lib/api.js";
import { useThing } from "../lib/data.js";
import { link } from "../lib/route.js";
import { ROLES } from "../lib/words.js";
import { Head, Loaded, Name } from "../parts/basics.js";
import { ask, Dialog } from "../parts/dialog.js";
import { Ends, Text, Trouble, useForm } from "../parts/form.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { complain, say, tried } from "../parts/toast.js";
import { deleteThing, Editor } from "./editor.js";
import { FIELDS } from "./fields.js";
import { GiveDialog } from "./give.js";
import { PersonPick } from "./pick.js";
import { KindTable } from "./table.js";

const isLocal = (thing) => !thing.source || thing.source === "local";

function PasswordDialog({ user, onClose }) {
  const form = useForm({ new: "" }, async (values) => {
    await put(`/users/${user.id}/password`, { new: values.new });
    say(`${user.name} has a new password, and is signed out everywhere.`);
    onClose();
  });
  return html`<${Dialog} title="A new password for ${user.name}" onClose=${onClose}><form class="form" onSubmit=${form.submit}><${Trouble} form=${form} fields=${["new", "password"]} />
    <${Text} ...${form.bind("new")} wrong=${form.wrong("new") || form.wrong("password")} label="New password" type="password" autocomplete="new-password" required autofocus />
    <${Ends} form=${form} yes="Set it" onCancel=${onClose} /></form></${Dialog}>`;
}

async function removeFactor(user) {
  if (await ask({ title: `Take ${user.name}'s second factor away?`, text: "For when the phone is lost. Their password alone lets them in until they set up another.", yes: "Take away" }))
    tried(request("DELETE", `/users/${user.id}/totp`, { body: {} }), "Their second factor is off.");
}

export function Users({ route }) {
  const [shown, show] = useState(route.query.new !== undefined ? { make: true } : null);
  const close = () => show(null);
  const edit = (user) => get(`/users/${user.id}`).then((whole) => show({ edit: whole }), complain);
  const columns = [
    { title: "Name", cell: (user) => html`<button class="linklike" onClick=${() => edit(user)}>${user.name}</button>` },
    { title: "Full name", cell: (user) => user.full_name },
    { title: "May", class: "keep", cell: (user) => ROLES[user.role] },
    { title: "Known by", class: "keep", cell: (user) => (isLocal(user) ? "Carrel" : user.source) },
    { title: "", class: "tight", cell: (user) => (user.disabled ? html`<span class="state bad">May not sign in</span>` : "") },
    { class: "tight", cell: (user) => html`<${Menu} label="What to do with ${user.name}" button=${html`<${Icon} name="dots" />`} items=${[
      { label: "Change", icon: html`<${Icon} name="edit" />`, do: () => edit(user) },
      { label: "Give something", icon: html`<${Icon} name="gift" />`, do: () => show({ give: user }) },
      isLocal(user) && { label: "New password", icon: html`<${Icon} name="key" />`, do: () => show({ password: user }) },
      { label: "Take second factor away", icon: html`<${Icon} name="lock" />`, do: () => removeFactor(user) },
      { label: "Delete", icon: html`<${Icon} name="trash" />`, danger: true, line: true, do: () => deleteThing("user", user) },
    ]} />` },
  ];
  const button = html`<button class="button main" onClick=${() => show({ make: true })}><${Icon} name="plus" />New user</button>`;
  return html`<${Head} title="Users" about="People who may sign in. Those of your office's directory appear by themselves when they first do.">${button}</${Head}>
    <${KindTable} kind="user" columns=${columns} filters=${[["All", {}], ...Object.entries(ROLES).map(([role, words]) => [`${words}s`, { filter: "role", value: role }])]}
      empty=${{ icon: "user", title: "No users yet", children: button }} />
    ${(shown?.make || shown?.edit) && html`<${Editor} kind="user" thing=${shown.edit} fields=${FIELDS.user} title=${shown.edit?.name || "New user"} onClose=${close} />`}
    ${shown?.password && html`<${PasswordDialog} user=${shown.password} onClose=${close} />`}
    ${shown?.give && html`<${GiveDialog} initial=${{ user: shown.give.id }} what=${shown.give.name} onClose=${close} />`}`;
}

function Members({ id, onClose }) {
  const read = useThing("group", id);
  const [user, setUser] = useState("");
  const add = async (event) => {
    event.preventDefault();
    if (user && await tried(post(`/groups/${id}/add-member`, { user }))) {
      setUser("");
      read.reload();
    }
  };
  const drop = (member) => tried(post(`/groups/${id}/remove-member`, { user: member.user }).then(read.reload));
  return html`<${Loaded} read=${read}>${(group) => html`<${Dialog} title="Who is in “${group.name}”" onClose=${onClose}>
    <form class="form" onSubmit=${add}><${PersonPick} name="member" label="Somebody more" value=${user} onValue=${setUser} required />
      <div class="ends"><button class="button main" type="submit" disabled=${!user}>Add</button></div></form>
    <ul class="members">${(group.members || []).map((member) => html`<li key=${member.user}><span><${Name} kind="user" id=${member.user} />${!isLocal(member) && html` <small>by ${member.source}</small>`}</span>
      <button class="button slim" onClick=${() => drop(member)}>Take out</button></li>`)}</ul>
    ${!group.members?.length && html`<p class="soft">Nobody yet.</p>`}</${Dialog}>`}</${Loaded}>`;
}

export function Groups({ route }) {
  const [shown, show] = useState(route.query.new !== undefined ? { make: true } : null);
  const close = () => show(null);
  const columns = [
    { title: "Name", cell: (group) => html`<button class="linklike" onClick=${() => show({ members: group.id })}>${group.name}</button>` },
    { title: "Known by", class: "keep", cell: (group) => (isLocal(group) ? "Carrel" : group.source) },
    { title: "About", cell: (group) => group.description },
    { class: "tight", cell: (group) => html`<${Menu} label="What to do with ${group.name}" button=${html`<${Icon} name="dots" />`} items=${[
      { label: "Who is in it", icon: html`<${Icon} name="users" />`, do: () => show({ members: group.id }) },
      { label: "Give something", icon: html`<${Icon} name="gift" />`, do: () => show({ give: group }) },
      { label: "Change", icon: html`<${Icon} name="edit" />`, do: () => get(`/groups/${group.id}`).then((whole) => show({ edit: whole }), complain) },
      { label: "Delete", icon: html`<${Icon} name="trash" />`, danger: true, line: true, do: () => deleteThing("group", group) },
    ]} />` },
  ];
  const button = html`<button class="button main" onClick=${() => show({ make: true })}><${Icon} name="plus" />New group</button>`;
  return html`<${Head} title="Groups" about=${html`People who get the same. What is <a href=${link("assignments")}>given to a group</a>, everybody in it has.`}>${button}</${Head}>
    <${KindTable} kind="group" columns=${columns} empty=${{ icon: "users", title: "No groups yet", children: html`<p>A group makes it easy to give the same to many: put people into one, and give it a pool.</p>${button}` }} />
    ${(shown?.make || shown?.edit) && html`<${Editor} kind="group" thing=${shown.edit} fields=${FIELDS.group} title=${shown.edit?.name || "New group"} onClose=${close} done=${(group) => shown.make && setTimeout(() => show({ members: group.id }))} />`}
    ${shown?.members && html`<${Members} id=${shown.members} onClose=${close} />`}
    ${shown?.give && html`<${GiveDialog} initial=${{ group: shown.give.id }} what=${shown.give.name} onClose=${close} />`}`;
}
