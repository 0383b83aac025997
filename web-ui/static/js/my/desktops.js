// SPDX-License-Identifier: Apache-2.0
// A user's own desktops, a card each with its picture; pools they may take one from.
import { html, useEffect, useState } from "../lib/html.js";
import { address, get, items, post } from "../lib/api.js";
import { merged, useRead } from "../lib/data.js";
import { sentence } from "../lib/format.js";
import { useEvents } from "../lib/live.js";
import { go, link } from "../lib/route.js";
import { isBusy, STATES } from "../lib/words.js";
import { Empty, Head, Loaded, Progress, State } from "../parts/basics.js";
import { ask } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { complain, tried } from "../parts/toast.js";
import { mayRun } from "../lib/session.js";

const PICTURE_EVERY_MS = 10000, FIRST_PICTURE_EVERY_MS = 1500;

/**
 * A picture of a desktop, new every few seconds while the page is looked at. without(forbidden): what stands there while there is
 * none; a desktop that is somebody's shows its picture to nobody else, of which onForbidden() tells.
 */
export function Picture({ id, live, every = PICTURE_EVERY_MS, without = () => null, onForbidden, ...more }) {
  const [state, set] = useState({});
  useEffect(() => {
    let gone = false;
    let shown = "";
    let timer = 0;
    const take = async () => {
      if (!document.hidden) {
        const response = await fetch(address(`/desktops/${id}/screen.png`), { credentials: "same-origin", cache: "no-store" }).catch(() => null);
        if (gone) return;
        if (response?.ok) {
          const before = shown;
          shown = URL.createObjectURL(await response.blob());
          set({ src: shown });
          if (before) URL.revokeObjectURL(before);
        } else if (response?.status === 403) {
          set({ forbidden: true });
          onForbidden?.();
          return;
        }
      }
      if (live && !gone) timer = setTimeout(take, shown ? every : FIRST_PICTURE_EVERY_MS);
    };
    take();
    return () => {
      gone = true;
      clearTimeout(timer);
      if (shown) URL.revokeObjectURL(shown);
    };
  }, [id, live]);
  return state.src ? html`<img src=${state.src} alt="" ...${more} />` : without(Boolean(state.forbidden));
}

const control = (id, action) => tried(post(`/desktops/${id}/actions/${action}`, {}));

async function stopAtOnce(desk) {
  if (await ask({ title: `Switch “${desk.name}” off?`, text: "As if its power were cut: what is not saved is lost.", yes: "Switch off" }))
    control(desk.id, "stop");
}

async function restartHard(desk) {
  if (await ask({ title: `Restart “${desk.name}” hard?`, text: "As if its reset button were pressed: what is not saved is lost.", yes: "Restart" }))
    control(desk.id, "reset");
}

function DeskMenu({ desk, state }) {
  const on = state === "running" || state === "paused";
  return html`<${Menu} label="More for ${desk.name}" button=${html`<${Icon} name="dots" />`} items=${[
    { label: "Open in a viewer program", icon: html`<${Icon} name="download" />`, href: address(`/desktops/${desk.id}/desktop.vv`), download: "desktop.vv" },
    !on && { label: "Start", icon: html`<${Icon} name="play" />`, do: () => control(desk.id, "start"), off: isBusy(state) },
    on && { label: "Shut down", icon: html`<${Icon} name="power" />`, do: () => control(desk.id, "shut-down") },
    on && { label: "Put to sleep", icon: html`<${Icon} name="moon" />`, do: () => control(desk.id, "suspend") },
    on && { label: "Restart it hard", icon: html`<${Icon} name="reset" />`, line: true, do: () => restartHard(desk) },
    (on || isBusy(state)) && { label: "Switch off at once", icon: html`<${Icon} name="stop" />`, danger: true, do: () => stopAtOnce(desk) },
  ]} />`;
}

function DeskCard({ desk }) {
  const state = desk.state || "stopped";
  const shown = state === "running" || state === "paused" || state === "suspended" || state === "stopping";
  return html`<li class="desk">
    <a class="desk-screen" href=${link("view", desk.id)} aria-label="Open ${desk.name}">
      ${shown && html`<${Picture} id=${desk.id} live=${state === "running"} without=${() => html`<span class="off"><${Icon} name="desk" /></span>`} />`}
      ${!shown && html`<span class="off"><${Icon} name=${state === "failed" ? "warn" : "power"} />
        <span class="small">${sentence(desk.detail) || (isBusy(state) ? STATES[state][0] : "Click to start")}</span></span>`}
      <span class="go" aria-hidden="true"><span>Open</span></span></a>
    <div class="desk-foot"><div><h2>${desk.name}</h2><${State} of=${state} /></div><${DeskMenu} desk=${desk} state=${state} />
      ${isBusy(state) && html`<${Progress} at=${desk.progress} label="${desk.name}: ${STATES[state][0]}" />`}</div></li>`;
}

function PoolCard({ pool, session }) {
  const [busy, set] = useState(false);
  const take = async () => {
    set(true);
    try {
      const answer = await post(`/pools/${pool.id}/take`, { user: session.user });
      const id = answer?.id || answer?.desktop;
      if (id) go("view", id);
    } catch (error) {
      complain(error);
    }
    set(false);
  };
  return html`<li class="desk"><button class="desk-screen" onClick=${take} disabled=${busy} aria-label="Get a desktop of ${pool.name}">
      <span class="off"><${Icon} name="plus" /><span class="small">${busy ? "One moment …" : "Click to get your desktop"}</span></span></button>
    <div class="desk-foot"><div><h2>${pool.name}</h2><span class="small soft">${pool.description || "A new desktop for you"}</span></div></div></li>`;
}

export function MyDesktops({ session }) {
  const read = useRead((signal) => get("/my", { signal }).then(items), [], (topic) => topic === "things");
  const [news, setNews] = useState({});
  useEvents("desktop", (data) => setNews((all) => ({ ...all, [data.desktop]: merged(all[data.desktop], data) })), []);
  useEffect(() => setNews({}), [read.value]);
  return html`<${Head} title="My desktops" />
    <${Loaded} read=${read}>${(mine) => mine.length
      ? html`<ul class="desks">${mine.map((thing) => (thing.kind === "pool"
        ? html`<${PoolCard} key=${thing.id} pool=${thing} session=${session} />`
        : html`<${DeskCard} key=${thing.id} desk=${merged(thing, news[thing.id] || {})} />`))}</ul>`
      : html`<div class="card"><${Empty} icon="desk" title="No desktop has been given to you yet">
          <p>${mayRun(session) ? html`You run this house: <a href=${link("overview")}>go to the overview</a>.` : "Ask whoever looks after the computers here. It appears by itself when it is yours."}</p></${Empty}></div>`}</${Loaded}>`;
}
