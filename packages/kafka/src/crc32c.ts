import { crc32c as checksum } from "@node-rs/crc32";

/**
 * CRC-32C (Castagnoli, as in RFC 3720) of `bytes[start, end)`, unsigned. Record batches carry it over everything from
 * their attributes on.
 */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  return checksum(bytes.subarray(start, end));
}
