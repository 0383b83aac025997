// SPDX-License-Identifier: Apache-2.0
// What may be done to a desktop, in which state, asking first where something is lost.
import { html } from "../lib/html.js";
import { address, post } from "../lib/api.js";
import { link } from "../lib/route.js";
import { isBusy } from "../lib/words.js";
import { ask } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { tried } from "../parts/toast.js";

export const act = (desktop, action, options = {}, done) => tried(post(`/desktops/${desktop.id}/actions/${action}`, options), done);

async function askAndAct(desktop, action, title, text, yes) {
  if (await ask({ title, text, yes })) act(desktop, action);
}

const icon = (name) => html`<${Icon} name=${name} />`;

/** Entries of a menu; open(what): has the page show a dialog of that name. */
export function actionsFor(desktop, state, open, { admin } = {}) {
  const on = state === "running" || state === "paused", busy = isBusy(state);
  return [
    { label: "Open its screen", icon: icon("desk"), href: link("view", desktop.id) },
    !on && { label: state === "suspended" ? "Wake up" : "Start", icon: icon("play"), do: () => act(desktop, "start"), off: busy },
    on && { label: "Shut down", icon: icon("power"), do: () => act(desktop, "shut-down") },
    on && { label: "Put to sleep", icon: icon("moon"), do: () => act(desktop, "suspend") },
    on && { label: "Restart it hard", icon: icon("reset"), do: () => askAndAct(desktop, "reset", `Restart “${desktop.name}” hard?`, "As if its reset button were pressed: what is not saved is lost.", "Restart") },
    (on || busy) && { label: "Switch off at once", icon: icon("stop"), danger: true, do: () => askAndAct(desktop, "stop", `Switch “${desktop.name}” off?`, "As if its power were cut: what is not saved is lost.", "Switch off") },
    on && { label: "Look on", icon: icon("eye"), href: link("view", desktop.id, "watch"), line: true },
    { label: "Open in a viewer program", icon: icon("download"), href: address(`/desktops/${desktop.id}/desktop.vv`), download: "desktop.vv", line: !on },
    { label: "Take a snapshot", icon: icon("camera"), do: () => open("snapshot"), line: true },
    { label: "Copy it", icon: icon("copy"), do: () => open("clone") },
    admin && { label: "Turn it into a template", icon: icon("stack"), do: () => open("template"), off: on || busy },
    admin && { label: "Give it to somebody", icon: icon("gift"), do: () => open("give") },
    { label: "Change", icon: icon("edit"), do: () => open("edit"), line: true },
    admin && desktop.pool && desktop.user && { label: "Take it back from its user", icon: icon("out"), do: () => open("release") },
    { label: "Delete", icon: icon("trash"), danger: true, do: () => open("delete"), off: on },
  ];
}
