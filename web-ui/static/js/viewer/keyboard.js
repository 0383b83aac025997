// SPDX-License-Identifier: Apache-2.0
// The person's keyboard, as browsers tell of it, made the desktop's: keys by their place, and what systems do to some of them
// undone. Dead keys and AltGr are the guest's own layout's; an input method of this computer writes into text fields alone, so the
// guest's is used.
import { LOCKS } from "../../spice/inputs.js";
import { SYSTEM } from "../lib/system.js";

const PASTE_HEAD_START_MS = 60; // for the clipboard to be there before the key that pastes
// Windows tells of AltGr as Ctrl and Alt, at the same moment; so its Ctrl waits a little for what comes next.
const ALT_GR_MS = 20;
const LOCK_KEYS = new Set(Object.keys(LOCKS));
const COMMAND_AS_CONTROL = { MetaLeft: "ControlLeft", MetaRight: "ControlRight" };

export class Keyboard {
  /** inputs(): of the SPICE session, or null. onKey(): before each key. onLeave(): Shift and F12 were pressed. */
  constructor({ inputs, onKey, onLeave, system = SYSTEM }) {
    this.getInputs = inputs;
    this.onKey = onKey;
    this.onLeave = onLeave;
    this.system = system;
    this.waiting = null; // a key that is down here and not yet there: {event, timer}
  }

  get inputs() {
    return this.getInputs();
  }

  down(event) {
    if (event.isComposing || !this.inputs) return;
    if (event.code === "F12" && event.shiftKey) {
      event.preventDefault();
      this.letGo();
      this.onLeave();
      return;
    }
    this.onKey();
    if (!LOCK_KEYS.has(event.code)) this.matchLocks(event);
    if (this.waiting) this.goOn(event.code !== "AltRight" || this.waiting.event.code !== "ControlLeft");
    const pastes = (event.code === "KeyV" && (event.ctrlKey || event.metaKey)) || (event.code === "Insert" && event.shiftKey);
    event.stopPropagation();
    if (pastes && !event.repeat) return this.wait(event, PASTE_HEAD_START_MS); // the browser tells what is pasted only if the key is left to it
    event.preventDefault();
    if (event.repeat) return; // the guest's keyboard repeats by itself
    if (this.system === "windows" && event.code === "ControlLeft") this.wait(event, ALT_GR_MS);
    else if (event.code && event.code !== "Unidentified") this.press(event);
    else if (event.key.length === 1) this.inputs.typeText(event.key);
  }

  up(event) {
    event.preventDefault();
    event.stopPropagation();
    if (this.waiting?.event.code === event.code) this.goOn(true);
    if (event.code) this.inputs?.key(this.codeOf(event), false);
  }

  /** While Command is held, a Mac tells of no other key's coming up. */
  press(event) {
    const code = this.codeOf(event);
    this.inputs?.key(code, true);
    if (this.system === "mac" && event.metaKey && !event.code.startsWith("Meta")) this.inputs?.key(code, false);
  }

  /** On a Mac, Command is where hands look for Ctrl. */
  codeOf({ code }) {
    return (this.system === "mac" && COMMAND_AS_CONTROL[code]) || code;
  }

  wait(event, ms) {
    this.waiting = { event, timer: setTimeout(() => this.goOn(true), ms) };
  }

  /** The key that waits goes down there, or never was. */
  goOn(really) {
    const { event, timer } = this.waiting;
    clearTimeout(timer);
    this.waiting = null;
    if (really) this.press(event);
  }

  letGo() {
    if (this.waiting) this.goOn(false);
    this.inputs?.letGo();
  }

  matchLocks(event) {
    if (!event.getModifierState) return;
    let locks = 0;
    for (const [name, bit] of Object.entries(LOCKS)) if (event.getModifierState(name)) locks |= bit;
    this.inputs.setLocks(locks);
  }
}
