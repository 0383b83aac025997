// SPDX-License-Identifier: Apache-2.0
// A desktop in the browser: its screen, a bar with what a keyboard and a window cannot do, and what is shown while there is no picture.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { address, get, post } from "../lib/api.js";
import { merged, useRead } from "../lib/data.js";
import { sentence } from "../lib/format.js";
import { useEvents } from "../lib/live.js";
import { link } from "../lib/route.js";
import { mayRun } from "../lib/session.js";
import { STATES } from "../lib/words.js";
import { Progress } from "../parts/basics.js";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { Menu } from "../parts/menu.js";
import { say, tried } from "../parts/toast.js";
import { Watched } from "../my/watched.js";
import { Connection } from "./connection.js";
import { Screens } from "./screens.js";

const COMBINATIONS = [
  ["Ctrl + Alt + Delete", ["ControlLeft", "AltLeft", "Delete"]],
  ["Alt + Tab", ["AltLeft", "Tab"]],
  ["Alt + F4", ["AltLeft", "F4"]],
  ["Windows key", ["MetaLeft"]],
  ["Windows + L", ["MetaLeft", "KeyL"]],
  ["Ctrl + Shift + Escape", ["ControlLeft", "ShiftLeft", "Escape"]],
  ["Ctrl + W", ["ControlLeft", "KeyW"]],
  ["Print screen", ["PrintScreen"]],
  ["F11", ["F11"]],
  ["F12", ["F12"]],
  ...[1, 2, 3, 7].map((n) => [`Ctrl + Alt + F${n}`, ["ControlLeft", "AltLeft", `F${n}`]]),
];

const ON_GLASS = matchMedia("(pointer: coarse)").matches;

function Cover({ id, state, live, name, mayAsk, onAgain }) {
  const now = live || state.live;
  if (state.phase === "open") return null;
  const ended = state.phase === "off" || state.phase === "failed";
  const title = {
    asking: `Getting ${name} ready`, opening: `Getting ${name} ready`, waiting: `Getting ${name} ready`, again: "Reconnecting",
    off: `${name} is ${(STATES[now?.state] || STATES.stopped)[0].toLowerCase()}`, failed: "This does not work",
  }[state.phase];
  const text = {
    asking: now?.detail || (now ? STATES[now.state]?.[0] : ""),
    again: "The connection was lost. It comes back by itself.", off: now?.detail || "", failed: state.message,
  }[state.phase] ?? (now?.detail || state.message);
  return html`<div class="viewer-cover" role="status"><div>
    ${ended ? html`<${Icon} name=${state.phase === "off" ? "power" : "warn"} />` : html`<span class="spin"></span>`}
    <h2>${title}</h2>${text && html`<p class="wrap">${sentence(text)}</p>`}
    ${!ended && now?.state === "starting" && html`<${Progress} at=${now.progress} label="How far it has started" />`}
    ${ended && html`<div class="row"><a class="button" href="#/">My desktops</a>
      ${state.status === 403 && mayAsk && html`<a class="button" href=${link("view", id, "watch")}>Ask to look on</a>`}
      <button class="button main" onClick=${onAgain}>${state.phase === "off" ? "Start it" : "Try again"}</button></div>`}</div></div>`;
}

function ClipboardDialog({ screens, onClose }) {
  const [text, set] = useState("");
  const offer = () => {
    if (screens.offer(text)) say("It is on the desktop's clipboard now.");
    else say("This desktop takes no clipboard. Have it typed instead.");
    onClose();
  };
  const type = () => {
    onClose();
    const left = screens.inputs?.typeText(text);
    if (left?.length) say(`A keyboard of the United States has no ${left.slice(0, 5).join(" ")}: that was left out.`);
  };
  return html`<${Dialog} title="Give the desktop a text" onClose=${onClose}><div class="form">
    <p class="small soft">Copying and pasting with the keyboard works by itself. This is for when it does not: for a password at a screen before anybody is signed in, for one.</p>
    <div class="field"><label for="clipboard-text">Text</label><textarea class="input" id="clipboard-text" value=${text} onInput=${(event) => set(event.target.value)} autofocus></textarea></div>
    <div class="ends"><button class="button" disabled=${!text} onClick=${type}>Type it, key by key</button>
      <button class="button main" disabled=${!text} onClick=${offer}>Put it on the clipboard</button></div></div></${Dialog}>`;
}

const control = (id, action) => tried(post(`/desktops/${id}/actions/${action}`, {}));

/** Everything of a viewer that lasts as long as it is shown: its connection and its screens. */
function useDesktop(id, holder, bar) {
  const [state, setState] = useState({ phase: "asking" });
  const [displays, setDisplays] = useState(1);
  const parts = useRef({});
  useEffect(() => {
    const session = () => parts.current.connection?.session;
    const screens = new Screens(holder.current, { session, onLeave: () => bar.current.querySelector("button, a")?.focus() });
    const opened = (news) => {
      setState(news);
      if (news.phase === "open") {
        screens.resized();
        screens.focus();
      }
    };
    const connection = new Connection(id, {
      state: opened,
      surface: (display, canvas) => {
        screens.surface(display, canvas);
        setDisplays(session()?.displays.size || 1);
      },
      cursor: (shape) => screens.setCursor(shape),
      mouse: (absolute) => screens.setAbsolute(absolute),
      agent: () => screens.resized(),
      ready: () => screens.askForSize(),
      clipboard: (text) => screens.copiedThere(text),
    });
    Object.assign(parts.current, { screens, connection });
    connection.start();
    return () => {
      connection.close();
      screens.close();
    };
  }, [id]);
  return { state, displays, parts: parts.current };
}

export function Viewer({ id, session }) {
  const whole = useRef();
  const holder = useRef();
  const bar = useRef();
  const { state, displays, parts } = useDesktop(id, holder, bar);
  const desktop = useRead((signal) => get("/my", { signal }).then((mine) => (mine.items || mine).find((one) => one.id === id) || get(`/desktops/${id}`, { signal })), [id]);
  const [live, setLive] = useState(null);
  const [clipboard, setClipboard] = useState(false);
  const [count, setCount] = useState(1);
  const [full, setFull] = useState(false);
  const name = desktop.value?.name || "the desktop";

  useEvents("desktop", (data) => data.desktop === id && setLive((old) => merged(old, data)), [id]);
  useEffect(() => {
    document.title = `${name} – Carrel`;
  }, [name]);
  useEffect(() => {
    const changed = () => {
      const is = document.fullscreenElement === whole.current;
      setFull(is);
      if (!is) return navigator.keyboard?.unlock?.();
      navigator.keyboard?.lock?.().catch(() => {}); // Escape, Alt+Tab and the like go to the desktop where the browser can
      return parts.screens.focus();
    };
    document.addEventListener("fullscreenchange", changed);
    return () => document.removeEventListener("fullscreenchange", changed);
  }, []);

  const toggleFull = () => (document.fullscreenElement ? document.exitFullscreen() : whole.current.requestFullscreen({ navigationUI: "hide" }));
  const press = (codes) => () => {
    parts.screens.inputs?.combination(codes);
    parts.screens.focus();
  };
  const screensOf = (n) => () => {
    setCount(n);
    parts.screens.setCount(n);
  };
  const sharpen = () => {
    parts.screens.sharp = !parts.screens.sharp;
    parts.screens.resized();
  };

  return html`<div class="viewer" ref=${whole}>
    <div class="viewer-bar" ref=${bar}>
      <a class="button plain square" href="#/" aria-label="Back" title="Back"><${Icon} name="back" /></a>
      <h1>${name}</h1>
      <${Menu} label="Press keys" class="button plain" button=${html`<${Icon} name="keyboard" /><span class="words">Keys</span>`}
        about="Shift + F12 leads from the desktop's screen to this bar." items=${[
          ON_GLASS && { label: "Show the keyboard", icon: html`<${Icon} name="keyboard" />`, do: () => parts.screens.showKeyboard() },
          ...COMBINATIONS.map(([label, codes]) => ({ label, do: press(codes) }))]} />
      <button class="button plain" onClick=${() => setClipboard(true)} aria-label="Text" title="Give the desktop a text"><${Icon} name="paste" /><span class="words">Text</span></button>
      <button class="button plain" onClick=${toggleFull} aria-label=${full ? "Leave full screen" : "Full screen"}><${Icon} name="full" /><span class="words">${full ? "Leave full screen" : "Full screen"}</span></button>
      <${Menu} label="More" button=${html`<${Icon} name="dots" />`} items=${[
        displays > 1 && count < displays && { label: "One more screen", icon: html`<${Icon} name="screens" />`, do: screensOf(count + 1) },
        count > 1 && { label: "One screen less", icon: html`<${Icon} name="desk" />`, do: screensOf(count - 1) },
        devicePixelRatio > 1 && { label: "Finer or larger picture", icon: html`<${Icon} name="fit" />`, do: sharpen },
        { label: "Open in a viewer program", icon: html`<${Icon} name="download" />`, href: address(`/desktops/${id}/desktop.vv`), download: "desktop.vv" },
        { label: "Shut down", icon: html`<${Icon} name="power" />`, line: true, do: () => control(id, "shut-down") },
        { label: "Put to sleep", icon: html`<${Icon} name="moon" />`, do: () => control(id, "suspend") },
        { label: "Restart it hard", icon: html`<${Icon} name="reset" />`, danger: true, do: () => control(id, "reset") },
      ]} />
    </div>
    <div class="viewer-stage"><div class="viewer-screens" ref=${holder}></div><div class="watched-here"><${Watched} only=${id} /></div>
      <${Cover} id=${id} state=${state} live=${live} name=${name} mayAsk=${mayRun(session)} onAgain=${() => parts.connection.again()} /></div>
    ${clipboard && html`<${ClipboardDialog} screens=${parts.screens} onClose=${() => { setClipboard(false); parts.screens.focus(); }} />`}</div>`;
}
