// SPDX-License-Identifier: Apache-2.0
// Who looks on at one's desktops: said all the time that they do, wherever one is in the page, with a button that ends it.
import { html, useEffect, useState } from "../lib/html.js";
import { remove } from "../lib/api.js";
import { listen, tell } from "../lib/live.js";
import { Name } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";
import { tried } from "../parts/toast.js";

/** desktop → [[request, name]]: the server tells all of it anew whenever its events begin again. */
let watched = new Map();

function set(next) {
  watched = next;
  tell("watched", watched);
}

listen("watching", ({ desktop, who }) => {
  const next = new Map(watched);
  if (who.length) next.set(desktop, who);
  else next.delete(desktop);
  set(next);
});
for (const topic of ["begin", "anew"]) listen(topic, () => set(new Map()));

/** [{desktop, request, name}] */
export function useWatched() {
  const [now, setNow] = useState(watched);
  useEffect(() => listen("watched", setNow), []);
  return [...now].flatMap(([desktop, who]) => who.map(([request, name]) => ({ desktop, request, name })));
}

/** only: one desktop's. */
export function Watched({ only }) {
  const all = useWatched().filter(({ desktop }) => !only || desktop === only);
  return all.map(({ desktop, request, name }) => html`<div class="watched" role="status" key=${request}><${Icon} name="eye" />
    <span class="wrap"><b>${name}</b> is watching ${only ? "" : html`<b><${Name} kind="desktop" id=${desktop} none="your desktop" /></b>`}</span>
    <button class="button slim" onClick=${() => tried(remove(`/watch/${request}`))}>End it</button></div>`);
}
