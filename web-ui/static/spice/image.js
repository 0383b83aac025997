// SPDX-License-Identifier: Apache-2.0
// Pictures of display messages, as what a canvas takes: ImageData, ImageBitmap or another canvas.
import { unpack } from "./lz4.js";

const BITMAP = 0, FROM_CACHE = 103, SURFACE = 104, JPEG = 105, FROM_CACHE_LOSSLESS = 106, LZ4 = 109;
const CACHE_ME = 1;
const TOP_DOWN = 4, PALETTE_FROM_CACHE = 2;
const FORMAT_16 = 6, FORMAT_24 = 7, FORMAT_32 = 8, FORMAT_RGBA = 9;
const BYTES = { [FORMAT_16]: 2, [FORMAT_24]: 3, [FORMAT_32]: 4, [FORMAT_RGBA]: 4 };
const PIXELS_MAX = 16384 * 16384 / 4;

/** Rows of pixels as SPICE has them, to what a canvas has: red first, no padding, the top row first. */
function toImage(pixels, width, height, stride, format, topDown) {
  const image = new ImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  const words = BYTES[format] === 4 && !(stride % 4) && !(pixels.byteOffset % 4) ? new Uint32Array(pixels.buffer, pixels.byteOffset, pixels.length >> 2) : null;
  for (let y = 0; y < height; y++) {
    const row = topDown ? y : height - 1 - y;
    let to = y * width;
    if (words) {
      for (let from = (row * stride) >> 2, end = from + width; from < end;) {
        const pixel = words[from++];
        out[to++] = 0xff000000 | ((pixel & 0xff) << 16) | (pixel & 0xff00) | ((pixel >> 16) & 0xff);
      }
    } else {
      for (let x = 0, from = row * stride; x < width; x++, from += BYTES[format]) out[to++] = pixelAt(pixels, from, format);
    }
  }
  return image;
}

function pixelAt(pixels, at, format) {
  if (format === FORMAT_16) {
    const value = pixels[at] | (pixels[at + 1] << 8);
    const wide = (five) => (five << 3) | (five >> 2);
    return 0xff000000 | (wide(value & 31) << 16) | (wide((value >> 5) & 31) << 8) | wide((value >> 10) & 31);
  }
  return 0xff000000 | (pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2];
}

function bitmap(reader, width, height) {
  const format = reader.u8(), flags = reader.u8(), columns = reader.u32(), rows = reader.u32(), stride = reader.u32();
  reader.take(flags & PALETTE_FROM_CACHE ? 8 : 4);
  if (!BYTES[format] || columns !== width || rows !== height || stride < width * BYTES[format]) throw new RangeError("a picture of a kind that was not asked for");
  return toImage(reader.bytes(stride * height), width, height, stride, format, flags & TOP_DOWN);
}

function lz4(reader, width, height) {
  const data = reader.bytes(reader.u32());
  const topDown = data[0], format = data[1];
  if (!BYTES[format]) throw new RangeError("a picture of a kind that was not asked for");
  const pixels = new Uint8Array(width * height * BYTES[format]);
  unpack(data.subarray(2), pixels);
  return toImage(pixels, width, height, width * BYTES[format], format, topDown);
}

export const jpeg = (data) => createImageBitmap(new Blob([data], { type: "image/jpeg" }));

/**
 * The picture that begins at @reader, or a promise of it. @cache: a Map by id, of those the server means to use again.
 * @surfaces: (id) => canvas.
 */
export function readImage(reader, cache, surfaces) {
  const id = reader.u64(), type = reader.u8(), flags = reader.u8(), width = reader.u32(), height = reader.u32();
  if (!width || !height || width * height > PIXELS_MAX) throw new RangeError("a picture of an impossible size");
  const keep = (image) => {
    if (flags & CACHE_ME) cache.set(id, image);
    return image;
  };
  switch (type) {
    case BITMAP: return keep(bitmap(reader, width, height));
    case LZ4: return keep(lz4(reader, width, height));
    case JPEG: return jpeg(reader.bytes(reader.u32())).then(keep);
    case SURFACE: return surfaces(reader.u32());
    case FROM_CACHE: case FROM_CACHE_LOSSLESS: return cache.get(id);
    default: throw new RangeError(`a picture of the kind ${type}, which was not asked for`);
  }
}
