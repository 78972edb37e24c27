import type { Consumer } from "kafkajs";

/**
 * Calls `failed` before the fetch that follows a failed one, synchronously: a seek made there holds for it. kafkajs does
 * not tell of failed fetches, it tries again by itself.
 */
export function watchFetches(consumer: Consumer, failed: () => void): void {
  const { FETCH_START, FETCH } = consumer.events;
  const unanswered = new Set<number>();
  consumer.on(FETCH_START, ({ payload }) => {
    if (unanswered.has(payload.nodeId)) failed();
    unanswered.add(payload.nodeId);
  });
  consumer.on(FETCH, ({ payload }) => void unanswered.delete(payload.nodeId));
}
