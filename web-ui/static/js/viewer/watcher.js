// SPDX-License-Identifier: Apache-2.0
// Looking on at somebody's desktop, once they agreed: pictures of their screen, one after the other, until they leave or it is enough.
import { html, useEffect, useState } from "../lib/html.js";
import { address, post } from "../lib/api.js";
import { link } from "../lib/route.js";
import { Name } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";

const EVERY_MS = 500;
const FORBIDDEN = 403;

/** Asks, then shows picture after picture; say({phase, message}), show(blob). @returns what ends it. */
function look(id, say, show) {
  const end = new AbortController();
  const { signal } = end;
  const pause = () => new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  const next = async () => {
    const response = await fetch(address(`/desktops/${id}/screen.png`), { credentials: "same-origin", cache: "no-store", signal });
    if (response.status === FORBIDDEN) return false;
    if (response.ok) show(await response.blob());
    return true;
  };
  (async () => {
    try {
      await post(`/desktops/${id}/connection`, { watch: true }, { signal });
      say({ phase: "open" });
      while (await next()) await pause();
      say({ phase: "over", message: "They have left, or the time for which they agreed is over." });
    } catch (error) {
      if (!signal.aborted) say({ phase: "over", message: error.message });
    }
  })();
  return () => end.abort();
}

export function Watcher({ id }) {
  const [state, set] = useState({ phase: "asking" });
  const [src, setSrc] = useState("");
  const [tries, again] = useState(0);
  useEffect(() => {
    let shown = "";
    set({ phase: "asking" });
    const stop = look(id, set, (blob) => {
      const before = shown;
      shown = URL.createObjectURL(blob);
      setSrc(shown);
      if (before) setTimeout(() => URL.revokeObjectURL(before), EVERY_MS);
    });
    return () => {
      stop();
      if (shown) URL.revokeObjectURL(shown);
    };
  }, [id, tries]);

  return html`<div class="viewer watching">
    <div class="viewer-bar"><a class="button plain square" href=${link("desktops", id)} aria-label="Back" title="Back"><${Icon} name="back" /></a>
      <h1><${Name} kind="desktop" id=${id} /></h1>${state.phase === "open" && html`<span class="state wait">You are looking on</span>`}</div>
    <div class="viewer-stage">${src && html`<img class="viewer-picture" src=${src} alt="The desktop's screen" />`}
      ${state.phase === "asking" && html`<div class="viewer-cover" role="status"><div><span class="spin"></span><h2>Waiting for an answer</h2><p>Whoever sits there is being asked whether you may look on.</p></div></div>`}
      ${state.phase === "over" && html`<div class="viewer-cover" role="status"><div><${Icon} name="eye" /><h2>You are not looking on</h2><p class="wrap">${state.message}</p>
        <div class="row"><a class="button" href=${link("desktops", id)}>Back</a><button class="button main" onClick=${() => { setSrc(""); again(tries + 1); }}>Ask again</button></div></div></div>`}</div></div>`;
}
