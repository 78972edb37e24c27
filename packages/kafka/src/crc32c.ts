const sliceCount = 16;

/**
 * CRC-32C (Castagnoli, as in RFC 3720) of `bytes[start, end)`, unsigned.
 *
 * Slicing-by-16: sixteen table look-ups per sixteen bytes, over four times as fast as a byte-wise table, and faster
 * than WebAssembly with its copy. Record batches carry it over everything from their attributes on.
 */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const slicedEnd = start + ((end - start) & -sliceCount);
  let crc = -1;
  let position = start;
  for (; position < slicedEnd; position += sliceCount) {
    crc =
      foldWord(12, crc ^ view.getInt32(position, true)) ^
      foldWord(8, view.getInt32(position + 4, true)) ^
      foldWord(4, view.getInt32(position + 8, true)) ^
      foldWord(0, view.getInt32(position + 12, true));
  }
  for (; position < end; position++) {
    crc = look(0, crc ^ view.getUint8(position)) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

/** One table after the other: entry `slice * 256 + byte` is the CRC of `byte` followed by `slice` zero bytes. */
const table = buildTable();

function look(slice: number, byte: number): number {
  return table[(slice << 8) | (byte & 0xff)] ?? 0;
}

function foldWord(slice: number, word: number): number {
  return (
    look(slice + 3, word) ^
    look(slice + 2, word >>> 8) ^
    look(slice + 1, word >>> 16) ^
    look(slice, word >>> 24)
  );
}

function buildTable(): Int32Array {
  const reversedPolynomial = 0x82f63b78;
  const entries = new Int32Array(sliceCount * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ reversedPolynomial : crc >>> 1;
    }
    entries[byte] = crc;
  }
  for (let index = 256; index < entries.length; index++) {
    const shorter = entries[index - 256] ?? 0;
    entries[index] = (shorter >>> 8) ^ (entries[shorter & 0xff] ?? 0);
  }
  return entries;
}
