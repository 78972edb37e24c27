import type { Publisher } from "@adstream/kafka/publisher";
import type { RecordBlocks } from "@adstream/kafka/record-blocks";
import type { WrittenResult } from "./result-bytes.ts";

/** Records of one topic on their way to the log. */
export type ResultBlocks = {
  /** Whether what waits fills its blocks: `flushed` comes before the next `append`. */
  readonly full: boolean;
  /** Appends one record, whose bytes are copied; order is kept within a key. */
  append(result: WrittenResult): void;
  /**
   * Resolves when all that was appended before is acknowledged.
   * @throws {StreamError} as `Publisher.publishBlocks`; what was appended before is given up then
   */
  flushed(): Promise<void>;
};

/**
 * What all tasks publish in one turn of the event loop goes out in one send: a fetch makes each of them say something, and
 * a send costs the same however little it carries. While one is on its way, the next is filled.
 *
 * Back pressure: two sets of blocks of half a MiB a partition.
 */
export async function openResultBlocks(
  publisher: Pick<Publisher, "openBlocks" | "publishBlocks">,
  topic: string,
): Promise<ResultBlocks> {
  let filling = await publisher.openBlocks(topic);
  let spare = await publisher.openBlocks(topic);
  /** The send that will take what is filled now. */
  let next: Promise<void> | undefined;
  let last: Promise<void> = Promise.resolve();

  async function send(before: Promise<void>): Promise<void> {
    await before.catch(() => {}); // Told to whoever waits for it.
    await new Promise((resolve) => setImmediate(resolve));
    const blocks = filling;
    filling = spare;
    spare = blocks;
    next = undefined;
    await publish(blocks);
  }

  async function publish(blocks: RecordBlocks): Promise<void> {
    try {
      await publisher.publishBlocks(blocks);
    } finally {
      blocks.clear();
    }
  }

  function flushed(): Promise<void> {
    if (next !== undefined) return next;
    next = send(last);
    last = next;
    return next;
  }

  return {
    get full() {
      return filling.full;
    },
    append({ key, keyBytes, value, valueBytes }) {
      filling.append(key, value, valueBytes, keyBytes);
    },
    flushed,
  };
}
