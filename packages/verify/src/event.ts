/** What counts of one event. */
export type Event = {
  /** What events are grouped by. */
  readonly key: string;
  /** Epoch ms. */
  readonly time: number;
  /** By the names they have in results; the same names in every event of a job. */
  readonly figures: Readonly<Record<string, number>>;
  /** Absent where the event has none, or where duplicates are not looked for. */
  readonly eventId?: string | undefined;
};

/** The rules that good events of every job keep and that their schemas cannot express. */
export function isSound({ key, time, eventId }: Event): boolean {
  const timed = Number.isInteger(time) && Math.abs(time) <= 8.64e15;
  return timed && isName(key) && (eventId === undefined || isName(eventId));
}

function isName(text: string): boolean {
  const bytes = Buffer.byteLength(text);
  return bytes > 0 && bytes <= 256;
}
