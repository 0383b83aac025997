// SPDX-License-Identifier: Apache-2.0
// The cursor channel: the pointer's shape, which the browser's own pointer takes on, so that it moves without a delay.
import { Channel, CURSOR } from "./channel.js";

const INIT = 101, RESET = 102, SET = 103, MOVE = 104, HIDE = 105, INVALIDATE_ONE = 107, INVALIDATE_ALL = 108;
const NONE = 1, CACHE_ME = 2, FROM_CACHE = 4;
const ALPHA = 0, MONO = 1;
const SIDE_MAX = 128; // browsers take none that is larger

export class CursorChannel extends Channel {
  /** events.cursor(shape, id): {url, x, y}, or null where there is none; events.pointer({x, y}): where the guest put it. */
  constructor(session, id, events) {
    super(session, CURSOR, id);
    this.events = events;
    this.cache = new Map();
  }

  handle(type, body) {
    switch (type) {
      case INIT: {
        this.place(body);
        body.take(4);
        this.shape(body.u8(), body);
        break;
      }
      case SET:
        this.place(body);
        this.shape(body.u8(), body);
        break;
      case MOVE: this.place(body); break;
      case HIDE: this.events.cursor(null, this.id); break;
      case RESET: this.cache.clear(); this.events.cursor(null, this.id); break;
      case INVALIDATE_ONE: this.cache.delete(body.u64()); break;
      case INVALIDATE_ALL: this.cache.clear(); break;
    }
  }

  place(body) {
    const place = { x: body.i16(), y: body.i16() };
    this.events.pointer?.(place, this.id);
  }

  shape(visible, body) {
    const flags = body.u16();
    if (flags & NONE || !visible) return this.events.cursor(null, this.id);
    const unique = body.u64(), type = body.u8(), width = body.u16(), height = body.u16(), x = body.u16(), y = body.u16();
    if (flags & FROM_CACHE) return this.events.cursor(this.cache.get(unique) || null, this.id);
    if (!width || !height || width > SIDE_MAX || height > SIDE_MAX) return this.events.cursor(null, this.id);
    const image = type === ALPHA ? alpha(body, width, height) : type === MONO ? mono(body, width, height) : null;
    const shape = image && { url: toUrl(image), x: Math.min(x, width - 1), y: Math.min(y, height - 1) };
    if (shape && flags & CACHE_ME) this.cache.set(unique, shape);
    return this.events.cursor(shape, this.id);
  }
}

function toUrl(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas.toDataURL();
}

/** Blue first, colours already multiplied with how opaque they are. */
function alpha(body, width, height) {
  const image = new ImageData(width, height);
  const from = body.bytes(width * height * 4);
  for (let i = 0; i < from.length; i += 4) {
    const opaque = from[i + 3];
    for (let part = 0; part < 3; part++) image.data[i + part] = opaque ? Math.min(255, Math.round((from[i + 2 - part] * 255) / opaque)) : 0;
    image.data[i + 3] = opaque;
  }
  return image;
}

/** Two bitmaps, what stays and what is turned over: turned over is shown black, since a browser cannot. */
function mono(body, width, height) {
  const image = new ImageData(width, height);
  const stride = (width + 7) >> 3;
  const and = body.bytes(stride * height), xor = body.bytes(stride * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = y * stride + (x >> 3), bit = 0x80 >> (x & 7);
      const stays = and[at] & bit, turns = xor[at] & bit;
      const to = (y * width + x) * 4;
      image.data.fill(turns && !stays ? 255 : 0, to, to + 3);
      image.data[to + 3] = stays && !turns ? 0 : 255;
    }
  return image;
}
