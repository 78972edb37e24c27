const sliceCount = 16;

/**
 * CRC-32C (Castagnoli, as in RFC 3720) of `bytes[start, end)`, unsigned.
 *
 * Slicing-by-16: sixteen table look-ups per sixteen bytes, four times as fast as a byte-wise table, and no slower
 * than WebAssembly with its copy. Record batches carry it over everything from their attributes on.
 */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const slicedEnd = start + ((end - start) & -sliceCount);
  let crc = -1;
  let position = start;
  for (; position < slicedEnd; position += sliceCount) {
    crc ^= word(bytes, position);
    crc =
      look(15, crc) ^
      look(14, crc >>> 8) ^
      look(13, crc >>> 16) ^
      look(12, crc >>> 24) ^
      foldWord(8, word(bytes, position + 4)) ^
      foldWord(4, word(bytes, position + 8)) ^
      foldWord(0, word(bytes, position + 12));
  }
  for (; position < end; position++) {
    crc = look(0, crc ^ (bytes[position] ?? 0)) ^ (crc >>> 8);
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

/** Little-endian, whatever the machine. */
function word(bytes: Uint8Array, position: number): number {
  return (
    (bytes[position] ?? 0) |
    ((bytes[position + 1] ?? 0) << 8) |
    ((bytes[position + 2] ?? 0) << 16) |
    ((bytes[position + 3] ?? 0) << 24)
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
