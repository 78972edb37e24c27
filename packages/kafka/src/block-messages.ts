import type { Message, TopicMessages } from "kafkajs";

import type { RecordBlock, RecordBlocks } from "./record-blocks.ts";

/**
 * Blocks in the place of messages, so that kafkajs finds leaders, numbers sequences, retries and waits for
 * acknowledgements as always, and only does not encode: that takes it eight objects a record, and most of the
 * CPU time of a producer.
 *
 * kafkajs 2.2.4 asks a list of messages for three things, which are answered here: `find` (one without a value),
 * `reduce` (by partition) and, per partition, `length` (sequence numbers) and `map` (timestamps, then encoded records).
 */
export function blockMessages(blocks: RecordBlocks): TopicMessages {
  const byPartition = Object.fromEntries(
    blocks.blocks().map((block) => [block.partition, blockList(block)]),
  );
  const messages = Object.assign([], { reduce: () => byPartition });
  return { topic: blocks.topic, messages };
}

/** What kafkajs takes for an encoder, and copies from. */
type Encoded = { readonly buf: Buffer; readonly buffer: Buffer };

/** Lists with holes: their length is what counts, and loops come to the one element only. */
function blockList({ records, bytes }: RecordBlock): Message[] {
  const first: Message = { value: null };
  const messages = [first];
  const encoded: Encoded[] = [{ buf: bytes, buffer: bytes }];
  messages.length = records;
  encoded.length = records;
  return Object.assign(messages, {
    // The first question is for timestamps. There are none, so that kafkajs takes the time of the sending.
    map: (ask: (message: Message, index: number) => unknown) =>
      ask(first, 0) === undefined ? [] : encoded,
  });
}
