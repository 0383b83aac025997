// SPDX-License-Identifier: Apache-2.0
// Bytes as SPICE sends them: little-endian. What comes from the server is read through a Reader, which never reads beyond its end:
// it throws a RangeError instead, and the channel ends.

export class Reader {
  constructor(buffer, at = 0, end = buffer.byteLength) {
    this.buffer = buffer;
    this.view = new DataView(buffer);
    this.at = at;
    this.end = end;
  }

  take(size) {
    if (size < 0 || this.at + size > this.end) throw new RangeError("a message is shorter than it says");
    const at = this.at;
    this.at += size;
    return at;
  }

  u8() { return this.view.getUint8(this.take(1)); }
  u16() { return this.view.getUint16(this.take(2), true); }
  i16() { return this.view.getInt16(this.take(2), true); }
  u32() { return this.view.getUint32(this.take(4), true); }
  i32() { return this.view.getInt32(this.take(4), true); }
  u64() { return this.view.getBigUint64(this.take(8), true); }
  bytes(size) { return new Uint8Array(this.buffer, this.take(size), size); }
  rest() { return this.bytes(this.end - this.at); }
  /** A reader at an offset of the message, which SPICE's pointers are. */
  from(offset, start) { return new Reader(this.buffer, start + Math.min(offset, this.end - start), this.end); }
  point() { return { x: this.i32(), y: this.i32() }; }

  rect() {
    const top = this.i32(), left = this.i32(), bottom = this.i32(), right = this.i32();
    return { x: left, y: top, width: right - left, height: bottom - top };
  }
}

export class Writer {
  constructor(size = 64) {
    this.view = new DataView(new ArrayBuffer(size));
    this.at = 0;
  }

  room(size) {
    if (this.at + size > this.view.byteLength) {
      const bigger = new Uint8Array(Math.max(this.view.byteLength * 2, this.at + size));
      bigger.set(new Uint8Array(this.view.buffer, 0, this.at));
      this.view = new DataView(bigger.buffer);
    }
    const at = this.at;
    this.at += size;
    return at;
  }

  u8(value) { const at = this.room(1); this.view.setUint8(at, value); return this; }
  u16(value) { const at = this.room(2); this.view.setUint16(at, value, true); return this; }
  u32(value) { const at = this.room(4); this.view.setUint32(at, value, true); return this; }
  i32(value) { const at = this.room(4); this.view.setInt32(at, value, true); return this; }
  u64(value) { const at = this.room(8); this.view.setBigUint64(at, BigInt(value), true); return this; }
  bytes(bytes) { const at = this.room(bytes.length); new Uint8Array(this.view.buffer).set(bytes, at); return this; }
  done() { return new Uint8Array(this.view.buffer, 0, this.at); }
}
