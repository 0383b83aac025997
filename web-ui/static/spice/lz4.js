// SPDX-License-Identifier: Apache-2.0
// Pictures compressed with LZ4: blocks that go on from one another's output, each behind its size in network order.

/** Unpacks one block into @out from @at on; returns where it ends. Sequences as LZ4's block format describes them. */
function block(data, start, end, out, at) {
  let from = start;
  while (from < end) {
    const token = data[from++];
    let length = token >> 4;
    if (length === 15) {
      let more;
      do length += more = data[from++]; while (more === 255);
    }
    if (from + length > end || at + length > out.length) throw new RangeError("a picture is larger than it says");
    if (length > 32) {
      out.set(data.subarray(from, from + length), at);
      at += length;
      from += length;
    } else {
      while (length--) out[at++] = data[from++];
    }
    if (from >= end) break; // the last sequence has no match
    const distance = data[from] | (data[from + 1] << 8);
    from += 2;
    length = (token & 15) + 4;
    if ((token & 15) === 15) {
      let more;
      do length += more = data[from++]; while (more === 255);
    }
    if (!distance || distance > at || at + length > out.length) throw new RangeError("a picture refers to what is not there");
    if (distance >= length) {
      out.copyWithin(at, at - distance, at - distance + length);
      at += length;
    } else {
      for (let back = at - distance; length--;) out[at++] = out[back++];
    }
  }
  return at;
}

/** All blocks of a picture into @out. */
export function unpack(data, out) {
  let at = 0;
  for (let from = 0; from < data.length;) {
    if (from + 4 > data.length) throw new RangeError("a picture ends early");
    const size = ((data[from] << 24) | (data[from + 1] << 16) | (data[from + 2] << 8) | data[from + 3]) >>> 0;
    from += 4;
    if (from + size > data.length) throw new RangeError("a picture ends early");
    at = block(data, from, from + size, out, at);
    from += size;
  }
}
