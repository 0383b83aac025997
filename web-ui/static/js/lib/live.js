// SPDX-License-Identifier: Apache-2.0
// What the server tells by itself: one EventSource for the whole page, and who wants to hear of what.
import { useEffect, useState } from "./html.js";
import { address, query } from "./api.js";

const TOPICS = ["things", "desktop", "job", "watch", "watching", "session"];
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const HIDDEN_MS = 5000;

const listeners = new Map();
let source = null;
let since = 0;
let tries = 0;
let timer = 0;
let wanted = false;
let online = true;

/** Calls callback(data) for each event of a topic; "online", "begin" and "anew" are the page's own. @returns what ends that. */
export function listen(topic, callback) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(callback);
  return () => listeners.get(topic).delete(callback);
}

export function tell(topic, data) {
  for (const callback of [...(listeners.get(topic) || [])]) callback(data);
}

function setOnline(is) {
  if (is !== online) {
    online = is;
    tell("online", is);
  }
}

/** Known before there is a stream of events: the page could not even ask who sits here. */
export const serverIsLost = () => setOnline(false);

function receive(topic, event) {
  let data;
  try { data = JSON.parse(event.data); } catch { return; }
  if (topic === "things") {
    since = Math.max(since, Number(data.sequence) || 0);
    if (data.anew) return tell("anew", data);
  }
  tell(topic, data);
}

function open() {
  clearTimeout(timer);
  source?.close();
  if (!wanted) return;
  const missed = tries > 0;
  source = new EventSource(address(`/events${query({ since: since || undefined })}`));
  source.onopen = () => {
    tries = 0;
    setOnline(true);
    if (missed) tell("anew", {}); // what went by meanwhile of what is not in the store (states, jobs) was told to nobody
  };
  source.onerror = again;
  for (const topic of TOPICS) source.addEventListener(topic, (event) => receive(topic, event));
}

// A browser tries again by itself after a broken connection, but gives up at an answer that is no stream, such as 503.
function again() {
  source?.close();
  clearTimeout(timer);
  const wait = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)];
  tries++;
  if (tries > 1) setOnline(false); // one lost connection that comes back at once is nobody's business
  timer = setTimeout(open, wait);
}

export function startEvents() {
  wanted = true;
  since = 0;
  tell("begin");
  open();
}

export function stopEvents() {
  wanted = false;
  clearTimeout(timer);
  source?.close();
  source = null;
  tries = 0;
  setOnline(true);
}

addEventListener("online", () => wanted && open());

// A browser has six connections to a host, for all its windows together: one that nobody looks at gives its own back.
let hidden = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden);
  if (document.hidden) {
    hidden = setTimeout(() => {
      source?.close();
      clearTimeout(timer);
    }, HIDDEN_MS);
  } else if (wanted && source?.readyState === EventSource.CLOSED) {
    tries = 0;
    open();
    tell("anew", {});
  }
});

/** Calls back for each event of the topic while the part is there. */
export function useEvents(topic, callback, inputs) {
  useEffect(() => listen(topic, callback), inputs);
}

export function useOnline() {
  const [is, set] = useState(online);
  useEvents("online", set, []);
  return is;
}

/** The kinds and ids that a "things" event names: [{kind, id, what}]. */
export const changesOf = (data) =>
  (data.changes || []).map((change) => (Array.isArray(change) ? { kind: change[0], id: change[1], what: change[2] } : change));
