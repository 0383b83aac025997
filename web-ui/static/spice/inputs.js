// SPDX-License-Identifier: Apache-2.0
// The inputs channel: keys and pointer. It remembers what is held down, and lets go of it when the window is left.
import { Channel, INPUTS } from "./channel.js";
import { keyDown, keyOfCharacter, keyUp } from "./scancodes.js";
import { Writer } from "./wire.js";

const INIT = 101, MODIFIERS = 102, MOTION_ACK = 111;
const KEY_DOWN = 101, KEY_UP = 102, KEY_MODIFIERS = 103, MOTION = 111, POSITION = 112, PRESS = 113, RELEASE = 114;
const BUNCH = 4; // motions that one acknowledgement is for
const UNANSWERED_MAX = 4 * BUNCH;
// A desktop takes a key going down or up every 8 ms and keeps some thousand that wait; a character takes up to four.
const CHARACTER_MS = 32;
const CHARACTERS_AT_ONCE = 30; // where timers come late, as in windows that nobody looks at
export const LOCKS = { ScrollLock: 1, NumLock: 2, CapsLock: 4 };
// By MouseEvent.button: [button, its bit in the state].
const BUTTONS = [[1, 1], [2, 2], [3, 4], [6, 32], [7, 64]];
const WHEEL_UP = 4, WHEEL_DOWN = 5;

export class InputsChannel extends Channel {
  constructor(session) {
    super(session, INPUTS);
    this.held = new Set();
    this.buttons = 0;
    this.locks = 0;
    this.unanswered = 0;
    this.unansweredSince = 0; // performance.now() of the first of those that are
    this.typing = [];
    this.waiting = null; // the last position, or motions added up, that are not sent yet
  }

  handle(type, body) {
    if (type === INIT || type === MODIFIERS) this.locks = body.u16();
    else if (type === MOTION_ACK) {
      this.unanswered = Math.max(0, this.unanswered - BUNCH);
      this.unansweredSince = performance.now();
      this.move();
    }
  }

  /** A key by its KeyboardEvent.code. */
  key(code, down) {
    const codes = down ? keyDown(code) : keyUp(code);
    if (!codes.length || (!down && !this.held.has(code))) return;
    if (down) this.held.add(code);
    else this.held.delete(code);
    for (const one of codes) this.send(down ? KEY_DOWN : KEY_UP, new Writer().u32(one));
  }

  /** Keys pressed together and let go again, the last first. */
  combination(codes) {
    codes.forEach((code) => this.key(code, true));
    [...codes].reverse().forEach((code) => this.key(code, false));
  }

  /** Types a text at the pace of a fast keyboard, behind what is being typed. @returns the characters that have no key. */
  typeText(text) {
    const all = [...text.replaceAll("\r\n", "\n")];
    this.typing.push(...all.map(keyOfCharacter).filter(Boolean));
    if (!this.typingTimer) this.typeSome(1);
    return all.filter((character) => !keyOfCharacter(character));
  }

  typeSome(n) {
    for (const [code, shift] of this.typing.splice(0, n)) this.combination(shift ? ["ShiftLeft", code] : [code]);
    const began = performance.now();
    const late = () => Math.min(Math.max(1, Math.floor((performance.now() - began) / CHARACTER_MS)), CHARACTERS_AT_ONCE);
    this.typingTimer = this.typing.length && !this.closed ? setTimeout(() => this.typeSome(late()), CHARACTER_MS) : 0;
  }

  /** Since when motions wait for an answer; 0: none does. */
  waitsSince() {
    return this.unanswered >= BUNCH ? this.unansweredSince : 0;
  }

  /** The window was left: whatever is held would stay held. */
  letGo() {
    for (const code of [...this.held]) this.key(code, false);
    for (let i = 0; i < BUTTONS.length; i++) if (this.buttons & BUTTONS[i][1]) this.button(i, false);
  }

  /** The locks as the person's keyboard has them; the guest's are turned to be the same. */
  setLocks(locks) {
    if (locks === this.locks) return;
    this.locks = locks;
    this.send(KEY_MODIFIERS, new Writer().u16(locks));
  }

  /** A place on a monitor's picture. */
  position(x, y, display) {
    this.waiting = { x, y, display };
    this.move();
  }

  /** How far it went, where the guest has only a mouse. */
  motion(dx, dy) {
    const before = this.waiting?.dx !== undefined ? this.waiting : { dx: 0, dy: 0 };
    this.waiting = { dx: before.dx + dx, dy: before.dy + dy };
    this.move();
  }

  /** Sends what is waiting, unless the server is behind; a button that follows must find the pointer in its place. */
  move(anyway = false) {
    if (!this.waiting || (!anyway && this.unanswered >= UNANSWERED_MAX)) return;
    const { x, y, dx, dy, display } = this.waiting;
    this.waiting = null;
    if (this.unanswered++ < BUNCH) this.unansweredSince = performance.now();
    if (dx !== undefined) this.send(MOTION, new Writer().i32(dx).i32(dy).u16(this.buttons));
    else this.send(POSITION, new Writer().u32(x).u32(y).u16(this.buttons).u8(display));
  }

  button(index, down) {
    const known = BUTTONS[index];
    if (!known) return;
    const [button, bit] = known;
    this.move(true);
    this.buttons = down ? this.buttons | bit : this.buttons & ~bit;
    this.send(down ? PRESS : RELEASE, new Writer().u8(button).u16(this.buttons));
  }

  wheel(steps) {
    const button = steps < 0 ? WHEEL_UP : WHEEL_DOWN;
    for (let i = Math.min(Math.abs(steps), 10); i > 0; i--) {
      this.send(PRESS, new Writer().u8(button).u16(this.buttons));
      this.send(RELEASE, new Writer().u8(button).u16(this.buttons));
    }
  }
}
