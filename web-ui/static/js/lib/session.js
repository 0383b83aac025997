// SPDX-License-Identifier: Apache-2.0
// Who sits here. One for the whole page; other tabs of the same browser are told when it begins and ends.
import { useEffect, useState } from "./html.js";
import { get, items, post, remove, setCsrf, whenSignedOut } from "./api.js";
import { forgetNames } from "./data.js";
import { listen, startEvents, stopEvents } from "./live.js";
import { go, parse } from "./route.js";

const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel("carrel-session") : null;
const watchers = new Set();
let who; // undefined: not asked yet; null: nobody
let farewell = "";

function become(someone, why = "") {
  who = someone;
  farewell = why;
  setCsrf(someone?.csrf);
  if (someone) startEvents();
  else stopEvents();
  forgetNames();
  for (const watcher of watchers) watcher(who);
}

/** Asks the server whose cookie this is. */
export async function findOut() {
  try {
    become(await get("/session", { signingIn: true }));
  } catch (error) {
    if (error.status === 401) become(null);
    else throw error;
  }
}

/** @returns null when signed in, else {challenge} for the code. */
export async function signIn(name, password) {
  const answer = await post("/session", { name, password }, { signingIn: true });
  if (answer?.step === "code") return answer;
  await arrive();
  return null;
}

export async function signInCode(challenge, code) {
  await post("/session/code", { challenge, code }, { signingIn: true });
  await arrive();
}

/** Whoever runs the house and has no desktop of their own begins with the overview, which says what is to be done. */
async function chooseRoom(someone) {
  if (mayRun(someone) && !parse(location.hash).path.length && !items(await get("/my")).length) go("overview");
}

async function arrive() {
  const someone = await get("/session", { signingIn: true });
  await chooseRoom(someone).catch(() => {}); // any other room will do
  become(someone);
  tabs?.postMessage("signed-in");
}

export async function signOut() {
  await remove("/session").catch(() => {});
  become(null);
  location.hash = ""; // whoever comes next begins at the beginning
  tabs?.postMessage("signed-out");
}

export const whyOut = () => farewell;

export function useSession() {
  const [session, set] = useState(who);
  useEffect(() => {
    watchers.add(set);
    set(who);
    return () => watchers.delete(set);
  }, []);
  return session;
}

const mayRun = (session) => session?.role === "admin" || session?.role === "operator";
export const isAdmin = (session) => session?.role === "admin";
export { mayRun };

const SIGNED_OUT = "You were signed out.";
const WHY_OUT = {
  idle: "You were signed out, since you had not been here for a while.", expired: "You were signed out, as everybody is after some hours.",
  revoked: "You were signed out from somewhere else.", changed: "You were signed out, since your account was changed.",
  "too-many": "You were signed out, since you signed in in too many other places.", "signed-out": "",
};
whenSignedOut(() => who && become(null, `${SIGNED_OUT} Sign in again to go on.`));
listen("session", (data) => data.ended && who && become(null, WHY_OUT[data.ended] ?? SIGNED_OUT));
tabs?.addEventListener("message", () => findOut().catch(() => {}));
