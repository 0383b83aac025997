// SPDX-License-Identifier: Apache-2.0
// Whether a connection is alive that says nothing of its end: a computer that slept, a network that went away. A WebSocket tells of
// either only after many minutes, while the picture stands still.
const EVERY_MS = 2000;
const ASLEEP_MS = 15000; // between two looks of a window that is seen; those of others are seldom
const UNANSWERED_MS = 8000;

export class Pulse {
  /** waitsSince(): when the oldest of what was sent and wants an answer was sent, as performance.now() has it; 0: nothing waits. */
  constructor({ waitsSince, onDead }) {
    this.waitsSince = waitsSince;
    this.onDead = onDead;
    this.begin = () => this.restart();
    this.online = () => this.dead("The network was away.");
  }

  start() {
    this.stop();
    this.restart();
    this.timer = setInterval(() => this.look(), EVERY_MS);
    document.addEventListener("visibilitychange", this.begin);
    addEventListener("online", this.online);
  }

  stop() {
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.begin);
    removeEventListener("online", this.online);
  }

  restart() {
    this.looked = Date.now(); // which goes on while a computer sleeps
  }

  look() {
    const since = Date.now() - this.looked;
    const waits = this.waitsSince();
    this.restart();
    if (since > ASLEEP_MS && !document.hidden) this.dead("This computer slept.");
    else if (waits && performance.now() - waits > UNANSWERED_MS) this.dead("The desktop's host does not answer.");
  }

  dead(why) {
    this.stop();
    this.onDead(new Error(why));
  }
}
