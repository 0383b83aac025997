// SPDX-License-Identifier: Apache-2.0
// A table of things of one kind: a page at a time, narrowed by one filter, searched by name. On a phone each row is a block.
import { html, useEffect, useState } from "../lib/html.js";
import { PAGE, readAll, useList } from "../lib/data.js";
import { listen, changesOf } from "../lib/live.js";
import { count as counted } from "../lib/format.js";
import { KINDS } from "../lib/words.js";
import { Empty, Loaded, Waiting } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";

const SEARCH_SETTLE_MS = 250;
const FOUND_MAX = 200;

/** columns: [{title, cell(thing), class}]. */
export const Rows = ({ things, columns }) => html`<div class="scroll"><table class="table folds">
  <thead><tr>${columns.map((column) => html`<th class=${column.class} scope="col">${column.title || html`<span class="unseen">Actions</span>`}</th>`)}</tr></thead>
  <tbody>${things.map((thing) => html`<tr key=${thing.id}>${columns.map((column) =>
    html`<td class=${column.class} data-label=${column.title || undefined}>${column.cell(thing)}</td>`)}</tr>`)}</tbody></table></div>`;

/** What has a text in its name, as the server gives page after page; at most FOUND_MAX. */
function useSearch(kind, text, filter) {
  const [found, set] = useState(null);
  const [again, setAgain] = useState(0);
  useEffect(() => listen("things", (data) => changesOf(data).some((change) => change.kind === kind) && setAgain((n) => n + 1)), [kind]);
  useEffect(() => {
    if (!text) {
      set(null);
      return undefined;
    }
    const abort = new AbortController();
    const low = text.toLowerCase();
    const matches = (thing) => `${thing.name || ""} ${thing.full_name || ""} ${thing.description || ""}`.toLowerCase().includes(low);
    const timer = setTimeout(() => readAll(kind, {
      ...filter, signal: abort.signal, each: (_, all) => all.filter(matches).length < FOUND_MAX,
    }).then((all) => set(all.filter(matches).slice(0, FOUND_MAX)), (error) => error.name !== "AbortError" && set([])), SEARCH_SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [kind, text, filter?.filter, filter?.value, again]);
  return found;
}

function Pages({ list, after, places, setPlaces, kind }) {
  const { count = 0, next, items = [] } = list;
  const first = places.length * PAGE + 1;
  return html`<div class="paging"><span class="small soft">${count > items.length ? `${first.toLocaleString()} to ${(first + items.length - 1).toLocaleString()} of ${counted(count, ...KINDS[kind])}` : counted(count, ...KINDS[kind])}</span>
    <span class="row"><button class="button slim" disabled=${!places.length} onClick=${() => setPlaces(places.slice(0, -1))}><${Icon} name="back" />Previous</button>
      <button class="button slim" disabled=${!next} onClick=${() => setPlaces([...places, next])}>Next<${Icon} name="next" /></button></span></div>`;
}

/**
 * filters: [[words, {filter, value}]] to choose from. empty: what stands there while there are none at all. around(things): called
 * with what is shown, for what else is to be read about it.
 */
export function KindTable({ kind, columns, filters = [], empty, onShown, searchable = true }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState("0");
  const [places, setPlaces] = useState([]);
  const filter = filters[Number(chosen)]?.[1] || {};
  const read = useList(kind, { ...filter, after: places.at(-1) });
  const found = useSearch(kind, text.trim(), filter);
  const things = text.trim() ? found : read.value?.items;
  useEffect(() => onShown?.(things || []), [things]);

  return html`<div class="card flush"><${Loaded} read=${read}>${(list) => {
    if (!list.count && chosen === "0") return html`<${Empty} ...${empty} />`;
    return html`${(searchable || filters.length > 1) && html`<div class="tools">
        ${searchable && html`<input class="input" type="search" placeholder="Search by name" aria-label="Search by name" value=${text} onInput=${(event) => setText(event.target.value)} />`}
        ${filters.length > 1 && html`<select class="input" aria-label="Which" onChange=${(event) => { setChosen(event.target.value); setPlaces([]); }}>
          ${filters.map(([words], i) => html`<option value=${String(i)} selected=${String(i) === chosen}>${words}</option>`)}</select>`}</div>`}
      ${things === null ? html`<${Waiting} />` : things?.length ? html`<${Rows} things=${things} columns=${columns} />` : html`<p class="waiting">Nothing found.</p>`}
      ${!text.trim() && html`<${Pages} list=${list} places=${places} setPlaces=${setPlaces} kind=${kind} />`}
      ${text.trim() && found?.length === FOUND_MAX && html`<div class="paging"><span class="small soft">These are the first ${FOUND_MAX}. Type more of the name.</span></div>`}`;
  }}</${Loaded}></div>`;
}
