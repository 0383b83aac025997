// SPDX-License-Identifier: Apache-2.0
// One channel: a WebSocket, the link with its password, messages with small headers, acknowledgements.
//
//   WebSocket ─bytes─▶ take() ─messages, one after the other─▶ handle(type, reader) of the channel's class
//
// A handler may return a promise (a picture that is decoded elsewhere); the next message waits for it, and so does the
// acknowledgement, so that a server never runs far ahead of what is on the screen.
import { Reader, Writer } from "./wire.js";

export const MAIN = 1, DISPLAY = 2, INPUTS = 3, CURSOR = 4;

const MAGIC = 0x51444552; // "REDQ"
const CAPABILITIES = (1 << 0) | (1 << 1) | (1 << 3); // choosing how to authenticate; SPICE's own way; small headers
const AUTHENTICATE_SPICE = 1;
const KEY_BYTES = 162;
const MESSAGE_BYTES_MAX = 64 << 20;
const LINK_ERRORS = { 7: "The password for this connection is over." };

const SET_ACK = 3, PING = 4, DISCONNECTING = 6;
const ACK_SYNC = 1, ACK = 2, PONG = 3;

/** The server's public key takes 1024 bits of RSA, with OAEP and SHA-1; the password ends with a zero. */
async function seal(key, password) {
  const rsa = await crypto.subtle.importKey("spki", key, { name: "RSA-OAEP", hash: "SHA-1" }, false, ["encrypt"]);
  return new Uint8Array(await crypto.subtle.encrypt({ name: "RSA-OAEP" }, rsa, new TextEncoder().encode(`${password}\0`)));
}

export class Channel {
  /** session: {url, password, connection, failed(channel, error)}. capabilities: of this kind of channel, by number. */
  constructor(session, type, id = 0, capabilities = []) {
    this.session = session;
    this.type = type;
    this.id = id;
    this.capabilities = capabilities.reduce((bits, bit) => bits | (1 << bit), 0);
    this.pieces = [];
    this.bytes = 0;
    this.wanted = null;
    this.window = 0;
    this.received = 0;
    this.linked = false;
    this.closed = false;
  }

  /** Resolves when the channel is linked. */
  open() {
    return new Promise((resolve, reject) => {
      this.socket = new WebSocket(this.session.url, "binary");
      this.socket.binaryType = "arraybuffer";
      this.socket.onopen = () => this.run(resolve).catch((error) => this.fail(error, reject));
      this.socket.onmessage = (event) => this.take(event.data);
      this.socket.onclose = () => this.fail(new Error("The connection was lost."), reject);
    });
  }

  close() {
    this.closed = true;
    this.socket?.close();
    this.wanted?.reject(new Error("closed"));
  }

  fail(error, reject) {
    if (this.closed) return;
    this.close();
    reject?.(error);
    if (this.linked) this.session.failed(this, error);
  }

  // Bytes as they come, until there are as many as somebody waits for.
  take(data) {
    this.pieces.push(new Uint8Array(data));
    this.bytes += data.byteLength;
    this.serve();
  }

  serve() {
    if (!this.wanted || this.bytes < this.wanted.size) return;
    const { size, resolve } = this.wanted;
    this.wanted = null;
    resolve(this.cut(size));
  }

  cut(size) {
    const out = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const piece = this.pieces[0];
      const n = Math.min(piece.length, size - at);
      out.set(piece.subarray(0, n), at);
      at += n;
      if (n === piece.length) this.pieces.shift();
      else this.pieces[0] = piece.subarray(n);
    }
    this.bytes -= size;
    return out.buffer;
  }

  read(size) {
    if (this.bytes >= size) return this.cut(size);
    return new Promise((resolve, reject) => {
      this.wanted = { size, resolve, reject };
    });
  }

  async link() {
    const body = new Writer().u32(this.session.connection || 0).u8(this.type).u8(this.id).u32(1).u32(1).u32(18)
      .u32(CAPABILITIES).u32(this.capabilities).done();
    this.socket.send(new Writer().u32(MAGIC).u32(2).u32(2).u32(body.length).bytes(body).done());
    const head = new Reader(await this.read(16));
    if (head.u32() !== MAGIC) throw new Error("This is no SPICE server.");
    head.take(8);
    const size = head.u32();
    if (size < KEY_BYTES + 16 || size > 4096) throw new Error("The server's greeting makes no sense.");
    const reply = new Reader(await this.read(size));
    this.check(reply.u32());
    this.socket.send(new Writer().u32(AUTHENTICATE_SPICE).done());
    this.socket.send(await seal(reply.bytes(KEY_BYTES), this.session.password));
    this.check(new Reader(await this.read(4)).u32());
  }

  check(code) {
    if (code) throw new Error(LINK_ERRORS[code] || `The desktop refused the connection (${code}).`);
  }

  async run(linked) {
    await this.link();
    this.linked = true;
    linked(this);
    this.begin?.();
    while (!this.closed) {
      const head = new Reader(await this.read(6));
      const type = head.u16(), size = head.u32();
      if (size > MESSAGE_BYTES_MAX) throw new Error("The server's message is too large.");
      const body = new Reader(size ? await this.read(size) : new ArrayBuffer(0));
      const busy = type < 100 ? this.common(type, body) : this.handle(type, body);
      if (busy) await busy;
      this.acknowledge();
    }
  }

  common(type, body) {
    if (type === SET_ACK) {
      const generation = body.u32();
      this.window = body.u32();
      this.received = 0;
      this.send(ACK_SYNC, new Writer().u32(generation));
    } else if (type === PING) {
      this.send(PONG, new Writer().u32(body.u32()).u64(body.u64()));
    } else if (type === DISCONNECTING) {
      throw new Error("The desktop ended the connection.");
    }
  }

  acknowledge() {
    if (this.window && ++this.received >= this.window) {
      this.received = 0;
      this.send(ACK);
    }
  }

  send(type, writer) {
    const body = writer ? writer.done() : new Uint8Array(0);
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(new Writer(6 + body.length).u16(type).u32(body.length).bytes(body).done());
  }
}
