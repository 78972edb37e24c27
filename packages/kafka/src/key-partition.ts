const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/**
 * The partition of a key, as Java's producer and kafkajs choose it: murmur2 of the bytes, without its sign bit.
 *
 * kafkajs' own makes some twenty objects of 64-bit arithmetic for it, 5 KB a key.
 * @param keyBytes of the key, from its start
 */
export function keyPartition(
  key: Uint8Array,
  partitions: number,
  keyBytes: number = key.length,
): number {
  return (murmur2(key, keyBytes) & 0x7fff_ffff) % partitions;
}

/** MurmurHash2 (Austin Appleby) with Kafka's seed, as a signed 32-bit integer. */
function murmur2(bytes: Uint8Array, length: number): number {
  const wordsEnd = length & ~3;
  let hash = seed ^ length;
  for (let at = 0; at < wordsEnd; at += 4) {
    let word = littleEndian(bytes, at, 4);
    word = Math.imul(word, multiplier);
    word = Math.imul(word ^ (word >>> 24), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  if (wordsEnd < length) {
    hash = Math.imul(hash ^ littleEndian(bytes, wordsEnd, length - wordsEnd), multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}

function littleEndian(bytes: Uint8Array, start: number, count: number): number {
  let word = 0;
  for (let index = 0; index < count; index++) word |= (bytes[start + index] ?? 0) << (8 * index);
  return word;
}
