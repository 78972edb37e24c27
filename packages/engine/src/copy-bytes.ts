/** A call into the runtime, and a view for it, cost as much as some dozen bytes here. */
const shortBytes = 128;

/**
 * Copies `from[start .. end)` to `into` from `position` on.
 * @returns where the copy ends
 */
export function copyBytes(
  from: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  position: number,
): number {
  if (end - start > shortBytes) into.set(from.subarray(start, end), position);
  else for (let at = start; at < end; at++) into[position + at - start] = from[at] ?? 0;
  return position + end - start;
}
