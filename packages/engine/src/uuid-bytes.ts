/** What the 36 characters of a UUID stand for (RFC 9562). */
export const uuidBytes = 16;

const textBytes = 36;
const dash = 0x2d;
/** Character -> value of a hexadecimal digit in lower case; 255 for any other. */
const digits = Uint8Array.from({ length: 256 }, (_, code) => {
  const value = "0123456789abcdef".indexOf(String.fromCodePoint(code));
  return value < 0 ? 255 : value;
});

/**
 * Packs the text of a UUID into the first 16 bytes of `target`. Only lower case: other texts would come back different.
 * @returns false when the text is none; `target` then holds nothing of meaning
 */
export function packUuid(
  source: Uint8Array,
  start: number,
  length: number,
  target: Uint8Array,
): boolean {
  if (length !== textBytes) return false;
  let at = start;
  for (let index = 0; index < uuidBytes; index++) {
    if (index === 4 || index === 6 || index === 8 || index === 10) {
      if (source[at] !== dash) return false;
      at++;
    }
    const high = digits[source[at] ?? 0] ?? 255;
    const low = digits[source[at + 1] ?? 0] ?? 255;
    if ((high | low) > 15) return false;
    target[index] = (high << 4) | low;
    at += 2;
  }
  return true;
}
