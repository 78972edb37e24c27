import { adEventSchema } from "@adstream/contracts/ad-event";
import { avroCodec } from "@adstream/kafka/avro-codec";
import { rowKey } from "./oracle.ts";
import { latencyWindow, type WindowTimes } from "./window-times.ts";

const frameBytes = 5;
const { decode } = avroCodec(adEventSchema);

/** When the events of a load that another producer sent were produced: by the times of their records, not by a schedule. */
export class ProduceTimes {
  readonly #dueMs = new Map<string, number[]>();
  readonly #lastMs = new Map<number, number>();

  /** The next record of its partition. @param at epoch ms */
  add(value: Buffer, at: number): void {
    const { ad_id: ad, timestamp } = Object(decode(value.subarray(frameBytes)));
    const startMs = timestamp - (timestamp % latencyWindow.sizeMs);
    const key = rowKey(startMs, String(ad));
    const times = this.#dueMs.get(key);
    if (times === undefined) this.#dueMs.set(key, [at]);
    else times.push(at);
    this.#lastMs.set(startMs, Math.max(at, this.#lastMs.get(startMs) ?? 0));
  }

  /** All but the first window and the last two are measured, as the peers' harness does it. */
  windowTimes(): Pick<WindowTimes, "measured" | "dueMs" | "lastDueMs"> {
    const starts = [...this.#lastMs.keys()].toSorted((a, b) => a - b);
    return { measured: starts.slice(1, -2), dueMs: this.#dueMs, lastDueMs: this.#lastMs };
  }
}
