// SPDX-License-Identifier: Apache-2.0
// All desktops: a table that shows how each is at this moment.
import { html, useCallback, useState } from "../lib/html.js";
import { useAll, useLive } from "../lib/data.js";
import { bytes, percent } from "../lib/format.js";
import { link } from "../lib/route.js";
import { isAdmin } from "../lib/session.js";
import { stateOf } from "../lib/words.js";
import { Head, Name, State } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { actionsFor } from "./control.js";
import { Desktop } from "./desktop.js";
import { DesktopDialog } from "./desktop-dialogs.js";
import { Jobs } from "./jobs.js";
import { MakeDesktop } from "./make-desktop.js";
import { KindTable } from "./table.js";

const FIXED_FILTERS = [["All", {}], ["To be on", { filter: "wanted", value: "running" }], ["To be off", { filter: "wanted", value: "stopped" }], ["Of no pool", { filter: "pool", value: "" }]];

function Table({ session, route }) {
  const [shown, setShown] = useState([]);
  const [dialog, setDialog] = useState(null);
  const [making, make] = useState(route.query.new !== undefined);
  const pools = useAll("pool").value;
  const live = useLive(shown.map((desktop) => desktop.id).slice(0, 100));
  const onShown = useCallback((things) => setShown(things), []);
  const admin = isAdmin(session);
  const columns = [
    { title: "Name", cell: (desktop) => html`<a href=${link("desktops", desktop.id)}>${desktop.name}</a>` },
    { title: "State", cell: (desktop) => html`<${State} of=${stateOf(live[desktop.id], desktop.wanted)} />` },
    { title: "User", cell: (desktop) => html`<${Name} kind="user" id=${desktop.user} />` },
    { title: "Pool", cell: (desktop) => html`<${Name} kind="pool" id=${desktop.pool} />` },
    { title: "Connected from", cell: (desktop) => live[desktop.id]?.clients?.join(", ") },
    { title: "CPU", class: "number", cell: (desktop) => (live[desktop.id]?.cpu === undefined ? "" : percent(live[desktop.id].cpu)) },
    { title: "Memory", class: "number", cell: (desktop) => (live[desktop.id]?.memory ? bytes(live[desktop.id].memory) : "") },
    { class: "tight", cell: (desktop) => html`<${Menu} label="What to do with ${desktop.name}" button=${html`<${Icon} name="dots" />`}
      items=${actionsFor(desktop, stateOf(live[desktop.id], desktop.wanted), (what) => setDialog({ desktop, what }), { admin })} />` },
  ];
  const filters = [...(route.query.pool ? [["Of this pool", { filter: "pool", value: route.query.pool }]] : []), ...FIXED_FILTERS, ...(pools || []).map((pool) => [`Of ${pool.name}`, { filter: "pool", value: pool.id }])];
  const button = html`<button class="button main" onClick=${() => make(true)}><${Icon} name="plus" />New desktop</button>`;
  return html`<${Head} title="Desktops">${button}</${Head}>
    <${Jobs} of=${(job) => job.kind === "desktop" || job.kind === "template"} />
    <${KindTable} kind="desktop" columns=${columns} filters=${filters} onShown=${onShown}
      empty=${{ icon: "desk", title: "No desktops yet", children: html`<p>Make one by hand, or make a pool, which makes them when people come.</p>${button}` }} />
    ${dialog && html`<${DesktopDialog} key=${dialog.what} desktop=${dialog.desktop} what=${dialog.what} onClose=${() => setDialog(null)} />`}
    ${making && html`<${MakeDesktop} onClose=${() => make(false)} />`}`;
}

export const Desktops = ({ session, route }) => (route.path[1] ? html`<${Desktop} session=${session} id=${route.path[1]} />` : html`<${Table} session=${session} route=${route} />`);
