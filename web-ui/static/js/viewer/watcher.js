// SPDX-License-Identifier: Apache-2.0
// Looking on at somebody's desktop, once they agreed: pictures of their screen, as often as it changes and some times a second at
// most, until they or whoever looks on has enough.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { address, post, remove } from "../lib/api.js";
import { link } from "../lib/route.js";
import { Name } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";

const PAUSE_MS = 100; // between pictures
const FORBIDDEN = 403, SAME = 304;

/** Asks, then shows picture after picture; say({phase, message}), show(blob). @returns what ends it. */
function look(id, say, show) {
  const end = new AbortController();
  const { signal } = end;
  const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  let request = "";
  let seen = "";
  const next = async () => {
    const headers = seen ? { "If-None-Match": seen } : {};
    const response = await fetch(address(`/desktops/${id}/screen.png`), { credentials: "same-origin", cache: "no-store", headers, signal });
    if (response.status === FORBIDDEN) return false;
    if (response.ok) await show(await response.blob());
    if (response.ok || response.status === SAME) seen = response.headers.get("ETag") || "";
    return true;
  };
  (async () => {
    try {
      ({ request } = await post(`/desktops/${id}/connection`, { watch: true }, { signal }));
      if (signal.aborted) return leave();
      say({ phase: "open" });
      while (await next()) await pause();
      say({ phase: "over", message: "They have left or ended it, or the time for which they agreed is over." });
    } catch (error) {
      if (!signal.aborted) say({ phase: "over", message: error.message });
    }
    return undefined;
  })();
  const leave = () => request && remove(`/watch/${request}`).catch(() => {}); // it is over already
  return () => {
    end.abort();
    leave();
  };
}

export function Watcher({ id }) {
  const [state, set] = useState({ phase: "asking" });
  const [seen, setSeen] = useState(false);
  const [whole, setWhole] = useState(true);
  const [tries, again] = useState(0);
  const canvas = useRef();
  useEffect(() => {
    set({ phase: "asking" });
    setSeen(false);
    return look(id, set, async (blob) => {
      const picture = await createImageBitmap(blob);
      if (!canvas.current) return;
      Object.assign(canvas.current, { width: picture.width, height: picture.height });
      canvas.current.getContext("2d").drawImage(picture, 0, 0);
      picture.close();
      setSeen(true);
    });
  }, [id, tries]);

  return html`<div class="viewer watching">
    <div class="viewer-bar"><a class="button plain square" href=${link("desktops", id)} aria-label="Back" title="Back"><${Icon} name="back" /></a>
      <h1><${Name} kind="desktop" id=${id} /></h1>
      ${state.phase === "open" && html`<span class="state wait">You are looking on</span>
        <button class="button plain" aria-pressed=${!whole} onClick=${() => setWhole(!whole)}><${Icon} name="fit" /><span class="words">${whole ? "Full size" : "Fit the window"}</span></button>`}</div>
    <div class="viewer-stage ${whole ? "" : "full-size"}" tabindex=${whole ? undefined : 0}><canvas class="viewer-picture" ref=${canvas} hidden=${!seen} role="img" aria-label="The desktop's screen"></canvas>
      ${state.phase === "asking" && html`<div class="viewer-cover" role="status"><div><span class="spin"></span><h2>Waiting for an answer</h2><p>Whoever sits there is being asked whether you may look on.</p></div></div>`}
      ${state.phase === "over" && html`<div class="viewer-cover" role="status"><div><${Icon} name="eye" /><h2>You are not looking on</h2><p class="wrap">${state.message}</p>
        <div class="row"><a class="button" href=${link("desktops", id)}>Back</a><button class="button main" onClick=${() => again(tries + 1)}>Ask again</button></div></div></div>`}</div></div>`;
}
