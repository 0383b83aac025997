// SPDX-License-Identifier: Apache-2.0
// A display channel: drawing on a canvas. Carrel's server draws by copying pictures, compressed with LZ4 as is asked for here, and
// sends what moves as a stream of JPEGs; the few other drawings that spice-server makes by itself are there too.
import { Channel, DISPLAY } from "./channel.js";
import { jpeg, readImage } from "./image.js";
import { Writer } from "./wire.js";

const SIZED_STREAM = 0, MONITORS_CONFIG_CAPABILITY = 1, LZ4_COMPRESSION = 5, PREFERRED_COMPRESSION_CAPABILITY = 6, MULTI_CODEC = 8, CODEC_MJPEG = 9;
const INIT = 101, PREFERRED_COMPRESSION = 103, COMPRESSION_LZ4 = 7;
const CACHE_PIXELS = 1 << 20, GLZ_WINDOW_PIXELS = 1 << 20;
const CODEC_IS_MJPEG = 1;
const PRIMARY = 1;
const CLIP_RECTS = 1;
const ROP_PUT = 1 << 3;
const BRUSH_SOLID = 1;
const SIDE_MAX = 16384;

const colour = (value) => `#${(value & 0xffffff).toString(16).padStart(6, "0")}`;

export class DisplayChannel extends Channel {
  /** events: {surface(id, canvas)}: there is a new picture of another size; {painted(id)}: something was drawn. */
  constructor(session, id, events) {
    super(session, DISPLAY, id, [SIZED_STREAM, MONITORS_CONFIG_CAPABILITY, LZ4_COMPRESSION, PREFERRED_COMPRESSION_CAPABILITY, MULTI_CODEC, CODEC_MJPEG]);
    this.events = events;
    this.surfaces = new Map();
    this.streams = new Map();
    this.cache = new Map();
    this.canvas = null;
    this.scratch = document.createElement("canvas");
  }

  begin() {
    this.send(INIT, new Writer().u8(1).u64(CACHE_PIXELS).u8(1).i32(GLZ_WINDOW_PIXELS));
    this.send(PREFERRED_COMPRESSION, new Writer().u8(COMPRESSION_LZ4));
  }

  handle(type, body) {
    return this.handlers[type]?.call(this, body);
  }

  surfaceOf(id) {
    const surface = this.surfaces.get(id);
    if (!surface) throw new RangeError("a drawing for a surface that is not there");
    return surface;
  }

  createSurface(body) {
    const id = body.u32(), width = body.u32(), height = body.u32();
    body.u32(); // the format: all that Carrel has are shown alike
    if (!width || !height || width > SIDE_MAX || height > SIDE_MAX) throw new RangeError("a surface of an impossible size");
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    this.surfaces.set(id, canvas.getContext("2d", { alpha: false }));
    if (body.u32() & PRIMARY) {
      this.canvas = canvas;
      this.events.surface(this.id, canvas);
    }
  }

  destroySurface(body) {
    this.surfaces.delete(body.u32());
  }

  reset() {
    this.surfaces.clear();
    this.streams.clear();
    this.cache.clear();
  }

  /** What every drawing begins with: where, and how much of it. */
  base(body) {
    const surface = this.surfaceOf(body.u32());
    const box = body.rect();
    return { surface, box, clip: this.clip(body) };
  }

  clip(body) {
    if (body.u8() !== CLIP_RECTS) return null;
    const n = body.u32();
    if (n > 65536) throw new RangeError("a clip of too many pieces");
    return Array.from({ length: n }, () => body.rect());
  }

  within(surface, clip, draw) {
    if (clip) {
      surface.save();
      surface.beginPath();
      for (const { x, y, width, height } of clip) surface.rect(x, y, width, height);
      surface.clip();
    }
    draw();
    if (clip) surface.restore();
    this.events.painted?.(this.id);
  }

  drawCopy(body) {
    const start = body.at;
    const { surface, box, clip } = this.base(body);
    const offset = body.u32();
    const source = body.rect();
    if (!(body.u16() & ROP_PUT) || !offset) return undefined;
    const image = readImage(body.from(offset, start), this.cache, (id) => this.surfaceOf(id).canvas);
    const put = (ready) => ready && this.put(surface, box, clip, ready, source);
    return image instanceof Promise ? image.then(put) : put(image);
  }

  put(surface, box, clip, image, source) {
    const whole = !source.x && !source.y && source.width === box.width && source.height === box.height;
    if (image instanceof ImageData && !clip && whole) {
      surface.putImageData(image, box.x, box.y, 0, 0, box.width, box.height);
      this.events.painted?.(this.id);
      return;
    }
    this.within(surface, clip, () =>
      surface.drawImage(this.drawable(image), source.x, source.y, source.width, source.height, box.x, box.y, box.width, box.height));
  }

  drawable(image) {
    if (!(image instanceof ImageData)) return image;
    this.scratch.width = image.width;
    this.scratch.height = image.height;
    this.scratch.getContext("2d").putImageData(image, 0, 0);
    return this.scratch;
  }

  fill(body) {
    const { surface, box, clip } = this.base(body);
    if (body.u8() !== BRUSH_SOLID) return;
    this.paint(surface, box, clip, colour(body.u32()));
  }

  paint(surface, box, clip, style) {
    this.within(surface, clip, () => {
      surface.fillStyle = style;
      surface.fillRect(box.x, box.y, box.width, box.height);
    });
  }

  blackness(body) {
    const { surface, box, clip } = this.base(body);
    this.paint(surface, box, clip, "#000000");
  }

  whiteness(body) {
    const { surface, box, clip } = this.base(body);
    this.paint(surface, box, clip, "#ffffff");
  }

  copyBits(body) {
    const { surface, box, clip } = this.base(body);
    const from = body.point();
    this.within(surface, clip, () => surface.drawImage(surface.canvas, from.x, from.y, box.width, box.height, box.x, box.y, box.width, box.height));
  }

  createStream(body) {
    const surface = this.surfaceOf(body.u32());
    const id = body.u32();
    body.u8();
    const codec = body.u8();
    body.take(8 + 8);
    const width = body.u32(), height = body.u32();
    const box = body.rect();
    if (codec !== CODEC_IS_MJPEG) throw new RangeError("a stream of a kind that was not asked for");
    this.streams.set(id, { surface, box, width, height, clip: this.clip(body) });
  }

  clipStream(body) {
    const stream = this.streams.get(body.u32());
    if (stream) stream.clip = this.clip(body);
  }

  streamData(body, sized) {
    const stream = this.streams.get(body.u32());
    body.u32(); // the moment it is for: it is shown at once
    const place = { ...stream };
    if (sized) {
      place.width = body.u32();
      place.height = body.u32();
      place.box = body.rect();
    }
    const data = body.bytes(body.u32());
    if (!stream) return undefined;
    return jpeg(data).then((image) => {
      this.put(stream.surface, place.box, stream.clip, image, { x: 0, y: 0, width: image.width, height: image.height });
      image.close();
    }, () => {}); // a frame that cannot be decoded is one frame less
  }

  forget(body) {
    for (let n = body.u16(); n > 0; n--) {
      const type = body.u8();
      const id = body.u64();
      if (type === 1) this.cache.delete(id);
    }
  }
}

DisplayChannel.prototype.handlers = {
  103: DisplayChannel.prototype.reset,
  104: DisplayChannel.prototype.copyBits,
  105: DisplayChannel.prototype.forget,
  106() { this.cache.clear(); },
  122: DisplayChannel.prototype.createStream,
  123(body) { return this.streamData(body, false); },
  124: DisplayChannel.prototype.clipStream,
  125(body) { this.streams.delete(body.u32()); },
  126() { this.streams.clear(); },
  302: DisplayChannel.prototype.fill,
  304: DisplayChannel.prototype.drawCopy,
  306: DisplayChannel.prototype.blackness,
  307: DisplayChannel.prototype.whiteness,
  314: DisplayChannel.prototype.createSurface,
  315: DisplayChannel.prototype.destroySurface,
  316(body) { return this.streamData(body, true); },
};
