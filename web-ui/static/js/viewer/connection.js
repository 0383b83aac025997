// SPDX-License-Identifier: Apache-2.0
// Getting to a desktop and staying there: a ticket, a SPICE session through the tunnel, and another of both whenever it is lost.
//
//   asking ─▶ opening ─▶ open ─lost─▶ asking …          a desktop that was switched off: off; what trying again cannot mend: failed
import { get, post, query } from "../lib/api.js";
import { Session } from "../../spice/session.js";
import { Pulse } from "./pulse.js";

const RETRY_MS = [300, 1000, 2000, 4000, 8000];
const OFF = ["stopped", "stopping", "suspended", "suspending", "failed"];
const HOPELESS = [401, 403, 404];

export class Connection {
  /** events: those of the SPICE session, and state({phase, message, live, status}); status: of the API's no, if it was one. */
  constructor(id, events) {
    this.id = id;
    this.events = events;
    this.tries = 0;
    this.over = false;
    this.session = null;
    this.wasOpen = false;
    this.pulse = new Pulse({ waitsSince: () => this.session?.inputs?.waitsSince() || 0, onDead: (error) => this.lost(error) });
    this.back = () => this.timer && this.start();
    addEventListener("online", this.back); // whoever waits for the next try need not
  }

  tell(phase, message = "", live, status = 0) {
    if (!this.over) this.events.state({ phase, message, live, status });
  }

  async start() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.session?.close();
    this.tell(this.wasOpen ? "again" : "asking");
    try {
      const ticket = await post(`/desktops/${this.id}/connection`);
      if (this.over) return;
      await this.open(ticket);
    } catch (error) {
      this.lost(error);
    }
  }

  async open({ tunnel, ticket, password }) {
    const url = new URL(tunnel || `/tunnel/${ticket}`, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.tell(this.wasOpen ? "again" : "opening");
    const session = (this.session = new Session({ url: url.href, password, events: { ...this.events, ended: (error) => this.lost(error) } }));
    await session.open();
    if (this.over) return session.close();
    this.tries = 0;
    this.wasOpen = true;
    this.tell("open");
    this.pulse.start();
    return undefined;
  }

  /** What to do depends on whether the desktop is still there. */
  async lost(error) {
    if (this.over) return;
    this.pulse.stop();
    this.session?.close();
    if (HOPELESS.includes(error.status)) return this.tell("failed", error.message, undefined, error.status);
    const live = await get(`/desktops/live${query({ id: this.id })}`).then((all) => all?.[this.id], () => undefined);
    if (this.over) return;
    if (this.wasOpen && live && OFF.includes(live.state)) return this.tell("off", "", live);
    if (live?.state === "failed" && this.tries > 0) return this.tell("off", live.detail, live);
    this.tell(this.wasOpen ? "again" : "waiting", error.message, live);
    const wait = (error.retryAfter || 0) * 1000 || RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)];
    this.tries++;
    this.timer = setTimeout(() => this.start(), wait);
  }

  /** By the person's word: a desktop that is off starts. */
  again() {
    this.wasOpen = false;
    this.tries = 0;
    this.start();
  }

  close() {
    this.over = true;
    this.pulse.stop();
    removeEventListener("online", this.back);
    clearTimeout(this.timer);
    this.session?.close();
  }
}
