// SPDX-License-Identifier: Apache-2.0
// The whole page: who is signed in decides what there is, the address which of it is shown.
import { html, useEffect, useState } from "./lib/html.js";
import { useOnline } from "./lib/live.js";
import { link, useRoute } from "./lib/route.js";
import { isAdmin, mayRun, signOut, useSession } from "./lib/session.js";
import { setTheme, theme } from "./lib/theme.js";
import { Asking } from "./parts/dialog.js";
import { Waiting } from "./parts/basics.js";
import { Icon } from "./parts/icon.js";
import { Menu } from "./parts/menu.js";
import { Toasts } from "./parts/toast.js";
import { Account } from "./my/account.js";
import { MyDesktops } from "./my/desktops.js";
import { SignIn } from "./my/sign-in.js";
import { WatchAsked } from "./my/watch-asked.js";
import { Watched } from "./my/watched.js";
import { Viewer } from "./viewer/viewer.js";
import { Watcher } from "./viewer/watcher.js";
import { ROOMS, roomOf } from "./admin/rooms.js";

function Rail({ session, here, open, onClose }) {
  return html`${open && html`<button class="rail-shade" aria-label="Close the menu" onClick=${onClose}></button>`}
    <nav class="rail ${open ? "open" : ""}" aria-label="Rooms" onClick=${onClose}>
      ${ROOMS.map((group) => ({ ...group, rooms: group.rooms.filter((room) => !room.admin || isAdmin(session)) }))
        .filter((group) => group.rooms.length)
        .map((group) => html`<div>${group.title && html`<h2>${group.title}</h2>`}
          ${group.rooms.map((room) => html`<a href=${link(room.path)} aria-current=${here === room.path ? "page" : undefined}>
            <${Icon} name=${room.icon} />${room.title}</a>`)}</div>`)}</nav>`;
}

function AccountMenu({ session }) {
  const [look, set] = useState(theme());
  const change = (choice) => () => {
    setTheme(choice);
    set(choice);
  };
  const next = { system: ["light", "sun", "Light"], light: ["dark", "moon", "Dark"], dark: ["system", "desk", "Light or dark as the system"] }[look];
  return html`<${Menu} label="Your account" class="button plain" button=${html`<${Icon} name="user" /><span class="hide-small">${session.full_name || session.name}</span>`}
    about=${session.full_name ? `${session.full_name} (${session.name})` : session.name}
    items=${[
      { label: "Password and second factor", icon: html`<${Icon} name="key" />`, href: link("account") },
      { label: next[2], icon: html`<${Icon} name=${next[1]} />`, do: change(next[0]) },
      { label: "Sign out", icon: html`<${Icon} name="out" />`, do: signOut, line: true },
    ]} />`;
}

function Top({ session, onMenu }) {
  return html`<header class="top">
    ${mayRun(session) && html`<button class="button plain square open-rail" aria-label="Menu" onClick=${onMenu}><${Icon} name="menu" /></button>`}
    <a class="brand" href="#/"><img src="/icon.svg" alt="" />Carrel</a><span class="grow"></span>
    <${AccountMenu} session=${session} /></header>`;
}

const Lost = () => html`<div class="lost" role="status"><${Icon} name="reset" />The server does not answer. This page goes on by itself when it is back.</div>`;

function Page({ session, route }) {
  const [first] = route.path;
  if (first === "account") return html`<${Account} session=${session} />`;
  const room = mayRun(session) ? roomOf(first) : null;
  if (room && (!room.admin || isAdmin(session))) return html`<${room.part} key=${route.path.join("/")} session=${session} route=${route} />`;
  return html`<${MyDesktops} session=${session} />`;
}

/** Past the bar and the rail, for those who go by keyboard; the address behind "#" is the page's own. */
function toContent(event) {
  event.preventDefault();
  document.querySelector("#main h1")?.focus();
}

function Signed({ session }) {
  const route = useRoute();
  const online = useOnline();
  const [rail, setRail] = useState(false);
  const place = route.path.join("/");
  useEffect(() => {
    setRail(false);
    scrollTo(0, 0);
  }, [place]);

  if (route.path[0] === "view" && route.path[1])
    return html`<${route.path[2] === "watch" ? Watcher : Viewer} key=${place} id=${route.path[1]} session=${session} />`;
  const here = route.path[0] || "my";
  return html`<a class="skip" href="#main" onClick=${toContent}>To the content</a><${Top} session=${session} onMenu=${() => setRail(!rail)} />
    ${!online && html`<${Lost} />`}<div class="watched-all"><${Watched} /></div>
    <div class="frame ${mayRun(session) ? "" : "no-rail"}">
      ${mayRun(session) && html`<${Rail} session=${session} here=${here} open=${rail} onClose=${() => setRail(false)} />`}
      <main id="main"><div class="page"><${Page} session=${session} route=${route} /></div></main></div>`;
}

export function App() {
  const session = useSession();
  const online = useOnline();
  return html`${session === undefined ? html`${!online && html`<${Lost} />`}<${Waiting} />` : session ? html`<${Signed} key=${session.user} session=${session} /><${WatchAsked} />` : html`<${SignIn} />`}
    <${Toasts} /><${Asking} />`;
}
