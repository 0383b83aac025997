// SPDX-License-Identifier: Apache-2.0
// What the server knows, as parts of the page use it: read when a part appears, read again when an event says that it changed.
import { useCallback, useEffect, useRef, useState } from "./html.js";
import { get, items, query } from "./api.js";
import { changesOf, listen } from "./live.js";

/** How kinds are called in paths. */
export const PATHS = {
  user: "users", group: "groups", network: "networks", image: "images", policy: "policies", template: "templates",
  pool: "pools", desktop: "desktops", assignment: "assignments", host: "hosts", setting: "settings",
};
export const PAGE = 100;
const SETTLE_MS = 120;

/**
 * {value, error, loading, reload} of something that is read by load(signal). It is read again when one of @inputs changes, and
 * soon after hears() of an event says so; the old value stays meanwhile, so that nothing flickers.
 */
export function useRead(load, inputs, hears = () => false) {
  const [state, set] = useState({ value: undefined, error: null, loading: true });
  const current = useRef({});
  current.current.load = load;
  current.current.hears = hears;

  const reload = useCallback(() => {
    current.current.abort?.abort();
    const abort = (current.current.abort = new AbortController());
    return current.current.load(abort.signal).then(
      (value) => !abort.signal.aborted && set({ value, error: null, loading: false }),
      (error) => !abort.signal.aborted && set((old) => ({ value: old.value, error, loading: false })));
  }, []);

  useEffect(() => {
    set((old) => ({ ...old, loading: true }));
    reload();
    return () => current.current.abort?.abort();
  }, inputs);

  useEffect(() => {
    let timer = 0;
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(reload, SETTLE_MS);
    };
    const ends = [
      listen("anew", soon),
      ...["things", "desktop", "job", "session"].map((topic) => listen(topic, (data) => current.current.hears(topic, data) && soon())),
    ];
    return () => {
      clearTimeout(timer);
      ends.forEach((end) => end());
    };
  }, []);
  return { ...state, reload };
}

const touches = (kinds) => (topic, data) => topic === "things" && changesOf(data).some((change) => kinds.includes(change.kind));

/** A page of a kind: value is {items, next, count, narrowed: whether that is not all there are}. */
export function useList(kind, { filter, value, search, after, limit = PAGE } = {}) {
  return useRead((signal) => get(`/${PATHS[kind]}${query({ filter, value, search, after, limit })}`, { signal })
    .then((page) => ({ ...page, narrowed: Boolean(filter || search) })),
  [kind, filter, value, search, after, limit], touches([kind]));
}

/** All of a kind of which there are never many: networks, images, policies, templates, pools, groups. */
export function useAll(kind) {
  return useRead((signal) => readAll(kind, { signal }), [kind], touches([kind]));
}

/** Every thing of a kind, page after page. */
async function readAll(kind, { signal }) {
  const all = [];
  let after;
  do {
    const page = await get(`/${PATHS[kind]}${query({ after, limit: 1000 })}`, { signal });
    all.push(...items(page));
    after = page.next;
  } while (after);
  return all;
}

/** One thing, with its parts. */
export function useThing(kind, id) {
  return useRead((signal) => (id ? get(`/${PATHS[kind]}/${id}`, { signal }) : Promise.resolve(null)), [kind, id],
    (topic, data) => topic === "things" && changesOf(data).some((change) => change.kind === kind && change.id === id));
}

/** How desktops are now, by id; each event "desktop" is put in as it comes. */
export function useLive(ids) {
  const [live, set] = useState({});
  const key = ids.join(" ");
  useEffect(() => {
    if (!ids.length) return undefined;
    let gone = false;
    const read = () => get(`/desktops/live${query({ id: ids })}`).then((value) => !gone && set(value || {}), () => {});
    read();
    const ends = [
      listen("anew", read),
      listen("desktop", (data) => ids.includes(data.desktop) && set((old) => ({ ...old, [data.desktop]: merged(old[data.desktop], data) }))),
    ];
    return () => {
      gone = true;
      ends.forEach((end) => end());
    };
  }, [key]);
  return live;
}

/** What changed put over what was; a new state leaves the old one's sentence and progress behind. */
export function merged(old, data) {
  const { desktop, ...news } = data;
  const before = { ...old };
  if (news.state && news.state !== before.state) {
    delete before.detail;
    delete before.progress;
  }
  return { ...before, ...news };
}

// Names of things that others refer to, asked for once each, and those that are wanted at the same moment together: a table of a
// hundred desktops refers to a hundred users.
const names = new Map();
let waiting = new Map();
let wanted = {}; // kind → [{id, tell}], to be asked for soon

function ask() {
  const now = wanted;
  wanted = {};
  for (const [kind, all] of Object.entries(now))
    for (let i = 0; i < all.length; i += PAGE) {
      const some = all.slice(i, i + PAGE);
      get(`/${PATHS[kind]}${query({ ids: some.map((one) => one.id), limit: PAGE })}`).then(items, () => [])
        .then((things) => some.forEach(({ id, tell }) => {
          const thing = things.find((each) => each.id === id);
          tell(thing ? thing.name || thing.id : "");
        }));
    }
}

function askSoon(kind, id) {
  if (!Object.keys(wanted).length) setTimeout(ask);
  return new Promise((tell) => (wanted[kind] ||= []).push({ id, tell }));
}

listen("things", (data) => {
  for (const { kind, id } of changesOf(data)) names.delete(`${kind} ${id}`);
});
listen("anew", () => names.clear());

export function nameOf(kind, id) {
  const key = `${kind} ${id}`;
  if (!names.has(key)) {
    if (!waiting.has(key))
      waiting.set(key, askSoon(kind, id).then((name) => { names.set(key, name); waiting.delete(key); return name; }));
    return waiting.get(key);
  }
  return Promise.resolve(names.get(key));
}

export function forgetNames() {
  names.clear();
  waiting = new Map();
}
