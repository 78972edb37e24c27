import type { RunEvents } from "@adstream/engine/run-options";
import type { Log } from "@adstream/kafka/kafkajs-log";

/** Log lines of the run loop: state changes at info, the unexpected at warn, the beat at debug. */
export function runLog(log: Log): RunEvents {
  return {
    acquired: ({ nextOffset, ...task }) =>
      log.info({ ...task, nextOffset: String(nextOffset) }, "task acquired"),
    fenced: (task) => log.warn(task, "task taken by another process"),
    checkpointed: ({ nextOffset, ...checkpoint }) =>
      log.debug({ ...checkpoint, nextOffset: String(nextOffset) }, "checkpoint saved"),
    checkpointFailed: ({ error, ...checkpoint }) =>
      log.error({ ...checkpoint, err: error }, "checkpoint not saved (CHECKPOINT_URL)"),
    replayLimited: (task) =>
      log.error(task, "intake stopped until a checkpoint is saved (CHECKPOINT_URL)"),
    replayUnlimited: (task) => log.info(task, "checkpoint saved, intake goes on"),
    decided: ({ nextOffset, watermark, partition }) =>
      log.info(
        { partition, nextOffset: String(nextOffset), watermark: new Date(watermark).toISOString() },
        "windows of a quiet partition closed",
      ),
    published({ partition, results, deadLetters, late }) {
      if (deadLetters > 0) log.warn({ partition, deadLetters }, "records dead-lettered");
      log.debug({ partition, results, deadLetters, late }, "results published");
    },
    operatorDecided: ({ nextOffset, ...decision }) =>
      log.warn({ ...decision, nextOffset: String(nextOffset) }, "gone on as an operator allowed"),
    superseded({ complete, ...turned }) {
      if (!complete) log.warn(turned, "results of before may be gone that were to be superseded");
      log.info(turned, "results of the code before superseded");
    },
    retried: ({ error, ...attempt }) => log.warn({ ...attempt, err: error }, "attempt failed"),
  };
}

/** Tells every listener, in order. */
export function allEvents(first: RunEvents, second: Partial<RunEvents>): RunEvents {
  return {
    acquired: (task) => (first.acquired(task), second.acquired?.(task)),
    fenced: (task) => (first.fenced(task), second.fenced?.(task)),
    checkpointed: (saved) => (first.checkpointed(saved), second.checkpointed?.(saved)),
    checkpointFailed: (lost) => (first.checkpointFailed(lost), second.checkpointFailed?.(lost)),
    replayLimited: (task) => (first.replayLimited?.(task), second.replayLimited?.(task)),
    replayUnlimited: (task) => (first.replayUnlimited?.(task), second.replayUnlimited?.(task)),
    decided: (decision) => (first.decided(decision), second.decided?.(decision)),
    published: (output) => (first.published(output), second.published?.(output)),
    operatorDecided: (decision) => (
      first.operatorDecided?.(decision),
      second.operatorDecided?.(decision)
    ),
    superseded: (turned) => (first.superseded?.(turned), second.superseded?.(turned)),
    retried: (attempt) => (first.retried(attempt), second.retried?.(attempt)),
  };
}
