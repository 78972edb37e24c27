import { Worker } from "node:worker_threads";
import { type Errand, nothing, sumOf, type Tally } from "./tally.ts";

/** Few enough that all threads end at about the same time, and that a failure stops the rest soon. */
const errandSeeds = 20;

/** Runs seeds on several threads. After a failure no new errands are begun. @throws what a thread threw */
export async function runCampaign(
  whole: Errand,
  workers: number,
  progress: (tally: Tally) => void,
): Promise<Tally> {
  const end = whole.first + whole.count;
  let next = whole.first;
  let sum = nothing;
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL("seed-worker.ts", import.meta.url));
    try {
      while (next < end && sum.failed.length === 0) {
        const first = next;
        next = Math.min(end, first + errandSeeds);
        const tally = await ask(worker, { ...whole, first, count: next - first });
        sum = sumOf(sum, tally);
        progress(sum);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return { ...sum, failed: sum.failed.toSorted((a, b) => a - b) };
}

async function ask(worker: Worker, errand: Errand): Promise<Tally> {
  const { promise, resolve, reject } = Promise.withResolvers<Tally>();
  worker.once("message", resolve);
  worker.once("error", reject);
  worker.postMessage(errand, []);
  try {
    return await promise;
  } finally {
    worker.off("message", resolve);
    worker.off("error", reject);
  }
}
