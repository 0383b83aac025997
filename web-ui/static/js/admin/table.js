// SPDX-License-Identifier: Apache-2.0
// A table of things of one kind: a page at a time, narrowed by one filter, searched by name; the server does both, so it does not
// matter how many there are. On a phone each row is a block.
import { html, useEffect, useState } from "../lib/html.js";
import { PAGE, useList } from "../lib/data.js";
import { count as counted } from "../lib/format.js";
import { KINDS } from "../lib/words.js";
import { Empty, Loaded } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";

const SEARCH_SETTLE_MS = 250;
const SEARCH_MAX = 128;

/** columns: [{title, cell(thing), class}]. */
export const Rows = ({ things, columns }) => html`<div class="scroll"><table class="table folds">
  <thead><tr>${columns.map((column) => html`<th class=${column.class} scope="col">${column.title || html`<span class="unseen">Actions</span>`}</th>`)}</tr></thead>
  <tbody>${things.map((thing) => html`<tr key=${thing.id}>${columns.map((column) =>
    html`<td class=${column.class} data-label=${column.title || undefined}>${column.cell(thing)}</td>`)}</tr>`)}</tbody></table></div>`;

function Pages({ list, ends, onEnds, kind, busy }) {
  const { count = 0, next, items = [] } = list;
  const first = ends.length * PAGE + 1;
  return html`<div class="paging"><span class="small soft">${count > items.length ? `${first.toLocaleString()} to ${(first + items.length - 1).toLocaleString()} of ${counted(count, ...KINDS[kind])}` : counted(count, ...KINDS[kind])}</span>
    <span class="row"><button class="button slim" disabled=${!ends.length || busy} onClick=${() => onEnds(ends.slice(0, -1))}><${Icon} name="back" />Previous</button>
      <button class="button slim" disabled=${!next || busy} onClick=${() => onEnds([...ends, next])}>Next<${Icon} name="next" /></button></span></div>`;
}

/**
 * filters: [[words, {filter, value}]] to choose from. empty: what stands there while there are none at all. onShown(things): called
 * with what is shown, for what else is to be read about it.
 */
export function KindTable({ kind, columns, filters = [], empty, onShown, searchable = true }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState("0");
  // What is searched for, and the ends of the pages before the one that is shown.
  const [place, setPlace] = useState({ search: "", ends: [] });
  const filter = filters[Number(chosen)]?.[1] || {};
  const read = useList(kind, { ...filter, search: place.search, after: place.ends.at(-1) });
  const things = read.value?.items;
  useEffect(() => onShown?.(things || []), [things]);
  useEffect(() => {
    const search = text.trim();
    if (search === place.search) return undefined;
    const timer = setTimeout(() => setPlace({ search, ends: [] }), SEARCH_SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text, place.search]);

  return html`<div class="card flush"><${Loaded} read=${read}>${(list) => {
    if (!list.count && !list.narrowed) return html`<${Empty} ...${empty} />`;
    return html`${(searchable || filters.length > 1) && html`<div class="tools">
        ${searchable && html`<input class="input" type="search" placeholder="Search by name" aria-label="Search by name" maxlength=${SEARCH_MAX} value=${text} onInput=${(event) => setText(event.target.value)} />`}
        ${filters.length > 1 && html`<select class="input" aria-label="Which" onChange=${(event) => { setChosen(event.target.value); setPlace({ ...place, ends: [] }); }}>
          ${filters.map(([words], i) => html`<option value=${String(i)} selected=${String(i) === chosen}>${words}</option>`)}</select>`}</div>`}
      ${things.length ? html`<${Rows} things=${things} columns=${columns} />` : html`<p class="nothing">Nothing found.</p>`}
      ${list.count > 0 && html`<${Pages} list=${list} ends=${place.ends} onEnds=${(ends) => setPlace({ ...place, ends })} kind=${kind} busy=${read.loading} />`}`;
  }}</${Loaded}></div>`;
}
