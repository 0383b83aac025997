// SPDX-License-Identifier: Apache-2.0
// The guest's agent, through the main channel: monitors' sizes and the clipboard's text (vd_agent.h). Messages are cut into pieces,
// each of which costs a token that the server gives back.
import { Reader, Writer } from "./wire.js";

const PROTOCOL = 1;
const PIECE_BYTES = 2048;
const MESSAGE_BYTES_MAX = 16 << 20;
const HEAD_BYTES = 20;

const MONITORS_CONFIG = 2, CLIPBOARD = 4, ANNOUNCE = 6, GRAB = 7, REQUEST = 8, RELEASE = 9;
const CAN_MONITORS = 1, CAN_REPLY = 2, CAN_BY_DEMAND = 5, CAN_SELECTION = 6, CAN_POSITION = 12;
const OWN = [CAN_MONITORS, CAN_REPLY, CAN_BY_DEMAND, CAN_SELECTION, CAN_POSITION].reduce((bits, bit) => bits | (1 << bit), 0);
const SELECTION_CLIPBOARD = 0;
const UTF8_TEXT = 1;
const USE_POSITIONS = 1;
const DEPTH = 32;
/** Longer texts are left where they are. */
export const TEXT_BYTES_MAX = 4 << 20;

export class Agent {
  /** send(bytes): a piece for the main channel. events: {clipboard(text), ready()}. */
  constructor(send, events) {
    this.sendPiece = send;
    this.events = events;
    this.stop();
  }

  start(tokens) {
    this.running = true;
    this.tokens = tokens;
    this.message(ANNOUNCE, new Writer().u32(1).u32(OWN));
    if (this.monitors) this.setMonitors(this.monitors);
  }

  stop() {
    this.running = false;
    this.tokens = 0;
    this.queue = [];
    this.got = new Uint8Array(0);
    this.capabilities = 0;
    this.text = null;
  }

  give(tokens) {
    this.tokens += tokens;
    this.flush();
  }

  can(capability) {
    return Boolean(this.capabilities & (1 << capability));
  }

  message(type, writer) {
    if (!this.running) return;
    const body = writer.done();
    const whole = new Writer(HEAD_BYTES + body.length).u32(PROTOCOL).u32(type).u64(0).u32(body.length).bytes(body).done();
    for (let at = 0; at < whole.length; at += PIECE_BYTES) this.queue.push(whole.slice(at, at + PIECE_BYTES));
    this.flush();
  }

  flush() {
    while (this.tokens > 0 && this.queue.length) {
      this.tokens--;
      this.sendPiece(this.queue.shift());
    }
  }

  /** A piece of the guest's. */
  take(piece) {
    const all = new Uint8Array(this.got.length + piece.length);
    all.set(this.got);
    all.set(piece, this.got.length);
    let at = 0;
    while (all.length - at >= HEAD_BYTES) {
      const head = new Reader(all.buffer, at, all.length);
      head.u32();
      const type = head.u32();
      head.u64();
      const size = head.u32();
      if (size > MESSAGE_BYTES_MAX) throw new RangeError("the guest's agent sends too much");
      if (all.length - at - HEAD_BYTES < size) break;
      this.hear(type, new Reader(all.buffer, at + HEAD_BYTES, at + HEAD_BYTES + size));
      at += HEAD_BYTES + size;
    }
    this.got = all.slice(at);
  }

  hear(type, body) {
    if (type === ANNOUNCE) {
      const again = body.u32();
      this.capabilities = body.at < body.end ? body.u32() : 0;
      if (again) this.message(ANNOUNCE, new Writer().u32(0).u32(OWN));
      this.events.ready?.();
    } else if (type === GRAB && this.isClipboard(body)) {
      this.text = null;
      while (body.end - body.at >= 4) if (body.u32() === UTF8_TEXT) return this.ask();
    } else if (type === REQUEST && this.isClipboard(body)) {
      this.answer(body.u32());
    } else if (type === CLIPBOARD && this.isClipboard(body)) {
      if (body.u32() === UTF8_TEXT) this.events.clipboard?.(new TextDecoder().decode(body.rest()).replace(/\0+$/, ""));
    }
    return undefined;
  }

  /** Where the guest tells which of its selections it means: whether it is the clipboard. */
  isClipboard(body) {
    if (!this.can(CAN_SELECTION)) return true;
    const selection = body.u8();
    body.take(3);
    return selection === SELECTION_CLIPBOARD;
  }

  selection() {
    const writer = new Writer();
    return this.can(CAN_SELECTION) ? writer.u8(SELECTION_CLIPBOARD).u8(0).u8(0).u8(0) : writer;
  }

  ask() {
    this.message(REQUEST, this.selection().u32(UTF8_TEXT));
  }

  answer(type) {
    const text = type === UTF8_TEXT && this.text !== null ? new TextEncoder().encode(this.text) : new Uint8Array(0);
    this.message(CLIPBOARD, this.selection().u32(text.length ? UTF8_TEXT : 0).bytes(text));
  }

  /** Text that was copied here: the guest asks for it when somebody pastes. */
  offer(text) {
    if (!this.can(CAN_BY_DEMAND) || text === this.text || text.length > TEXT_BYTES_MAX) return false;
    this.text = text;
    if (text) this.message(GRAB, this.selection().u32(UTF8_TEXT));
    else this.message(RELEASE, this.selection());
    return true;
  }

  /** [{width, height, x, y}]: the monitors that are wished for. */
  setMonitors(monitors) {
    this.monitors = monitors;
    const writer = new Writer().u32(monitors.length).u32(USE_POSITIONS);
    for (const { width, height, x, y } of monitors) writer.u32(height).u32(width).u32(DEPTH).i32(x).i32(y);
    this.message(MONITORS_CONFIG, writer);
  }
}
