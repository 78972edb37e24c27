/**
 * Whether `bytes[start, end)` is UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF,
 * nothing cut short. U+0000 is a character like others. Allocates nothing.
 */
export function validUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let position = start;
  while (position < end && (bytes[position] ?? 0) < 0x80) position++;
  while (position < end) {
    const length = characterBytes(bytes, position, end);
    if (length === 0) return false;
    position += length;
  }
  return true;
}

/** Length of the character at `position`; 0 when it is none. */
function characterBytes(bytes: Uint8Array, position: number, end: number): number {
  const lead = bytes[position] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (position + length > end) return 0;
  const second = bytes[position + 1] ?? 0;
  // The second byte excludes what the lead alone cannot: overlong forms, surrogates, beyond U+10FFFF.
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let index = position + 2; index < position + length; index++) {
    if (((bytes[index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}
