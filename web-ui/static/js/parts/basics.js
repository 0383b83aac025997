// SPDX-License-Identifier: Apache-2.0
// Small parts that many pages use.
import { html, useEffect, useState } from "../lib/html.js";
import { ago, exactly } from "../lib/format.js";
import { nameOf } from "../lib/data.js";
import { listen, changesOf } from "../lib/live.js";
import { STATES } from "../lib/words.js";
import { Icon } from "./icon.js";

export function Head({ title, about, back, children }) {
  useEffect(() => {
    document.title = `${title} – Carrel`;
  }, [title]);
  return html`<header class="page-head">
    <div class="grow">
      ${back && html`<a class="crumb" href=${back[0]}><${Icon} name="back" />${back[1]}</a>`}
      <h1 class="wrap" tabindex="-1">${title}</h1>${about && html`<p>${about}</p>`}
    </div>
    <div class="row">${children}</div>
  </header>`;
}

export const State = ({ of, words = STATES }) => {
  const [word, look] = words[of] || [of, ""];
  return html`<span class="state ${look}">${word}</span>`;
};

/** at: 0 to 1; nothing: it goes on, nobody knows how far. */
export function Progress({ at, label, look = "" }) {
  const known = typeof at === "number";
  return html`<div class="progress ${known ? "" : "unknown"} ${look}" role="progressbar" aria-label=${label}
    aria-valuenow=${known ? Math.round(at * 100) : undefined} aria-valuemin="0" aria-valuemax="100">
    <i style=${{ width: known ? `${Math.max(2, Math.min(100, at * 100))}%` : undefined }}></i></div>`;
}

export const Note = ({ look = "", icon = "warn", children }) =>
  html`<div class="note ${look}" role=${look === "bad" ? "alert" : undefined}><${Icon} name=${icon} /><div class="grow">${children}</div></div>`;

export const Empty = ({ icon, title, children }) =>
  html`<div class="empty"><${Icon} name=${icon} /><h2>${title}</h2>${children}</div>`;

export const Waiting = () => html`<div class="waiting" role="status">One moment …</div>`;

/** What a read gave: the moment before, what went wrong, or the children made from its value. */
export function Loaded({ read, children }) {
  if (read.value === undefined && read.loading) return html`<${Waiting} />`;
  if (read.value === undefined)
    return html`<${Note} look="bad">${read.error?.status === 404 ? "There is no such thing any more." : read.error?.message}
      <p><button class="button slim" onClick=${read.reload}>Try again</button></p></${Note}>`;
  return children(read.value);
}

export const When = ({ time }) => html`<time title=${exactly(time)}>${ago(time)}</time>`;

/** The name of a thing that another refers to by its id. */
export function Name({ kind, id, href, none = "–" }) {
  const [name, set] = useState(null);
  useEffect(() => {
    if (!id) return undefined;
    let gone = false;
    const find = () => nameOf(kind, id).then((found) => !gone && set(found));
    find();
    const end = listen("things", (data) => changesOf(data).some((change) => change.id === id) && find());
    return () => {
      gone = true;
      end();
    };
  }, [kind, id]);
  if (!id) return none;
  if (!name) return html`<span class="soft">${name === null ? "…" : "(gone)"}</span>`;
  return href ? html`<a href=${href}>${name}</a>` : name;
}

/** A chart of the last values, as wide as there is room. top: the highest that can be, or nothing: the highest there was. */
export function Spark({ values, top, label }) {
  const highest = top || Math.max(...values, 1e-9);
  const width = 100;
  const points = values.map((value, i) => [values.length > 1 ? (i * width) / (values.length - 1) : width, 32 - (30 * Math.min(value, highest)) / highest]);
  const line = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
  return html`<svg class="spark" viewBox="0 0 100 33" preserveAspectRatio="none" role="img" aria-label=${label}>
    ${points.length > 1 && html`<path class="area" d=${`${line}L${width} 33L0 33Z`} /><path class="line" d=${line} />`}</svg>`;
}
