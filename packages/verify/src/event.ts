/** What counts of one ad event. */
export type Event = {
  readonly adId: string;
  /** Epoch ms. */
  readonly time: number;
  readonly clicks: number;
  readonly views: number;
  readonly cost: number;
  /** Absent where the event has none. */
  readonly eventId?: string | undefined;
};

/** The rules of a good event that its schema cannot express. */
export function isSound({ adId, time, clicks, views, cost }: Event): boolean {
  const idBytes = Buffer.byteLength(adId);
  const whole = [clicks, views].every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 31);
  const timed = Number.isInteger(time) && Math.abs(time) <= 8.64e15;
  return idBytes > 0 && idBytes <= 256 && whole && timed && Number.isFinite(cost) && cost >= 0;
}
