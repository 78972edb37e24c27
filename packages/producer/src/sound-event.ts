import type { AdEvent } from "@adstream/contracts/ad-event";

const maxInt = 2 ** 31 - 1;
const maxIdBytes = 256;
/** Of a UTF-16 code unit in UTF-8. */
const maxCharacterBytes = 3;
/** What a date can be, either side of 1970. */
const maxTimeMs = 8.64e15;

/**
 * Refuses what every reader would have to set aside (design section 3): a mistake of ours stops us, instead of filling
 * the dead letters of others.
 * @throws {Error} naming the field and its value
 */
export function requireSound(event: AdEvent): void {
  const flaw = flawOf(event);
  if (flaw !== undefined) throw new Error(`event not sent: ${flaw}`);
}

function flawOf({ ad_id, event_id, timestamp, clicks, views, cost }: AdEvent): string | undefined {
  if (!fitId(ad_id)) return "its ad_id is empty, longer than 256 bytes or no valid text";
  if (event_id !== null && !fitId(event_id)) return "its event_id is empty, too long or no text";
  if (!Number.isInteger(timestamp) || Math.abs(timestamp) > maxTimeMs) {
    return `its timestamp ${timestamp} is no time`;
  }
  if (!fitCount(clicks)) return `${clicks} clicks`;
  if (!fitCount(views)) return `${views} views`;
  return cost >= 0 && cost <= Number.MAX_VALUE ? undefined : `a cost of ${cost}`;
}

/** Half of a surrogate pair would become the replacement character, and two ads one. */
function fitId(id: string): boolean {
  if (id === "" || !id.isWellFormed()) return false;
  return id.length * maxCharacterBytes <= maxIdBytes || Buffer.byteLength(id) <= maxIdBytes;
}

function fitCount(count: number): boolean {
  return Number.isInteger(count) && count >= 0 && count <= maxInt;
}
