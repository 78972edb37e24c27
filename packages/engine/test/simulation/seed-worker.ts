import assert from "node:assert/strict";
import { parentPort } from "node:worker_threads";
import { type Errand, runErrand } from "./tally.ts";

/** One thread of a campaign: takes errands, answers each with its tally. Mutants patch the engine of this thread alone. */
assert(parentPort !== null, "started by campaign.ts as a thread");
const port = parentPort;
port.on("message", (errand: Errand) => {
  void answer(errand);
});

/** Whatever it throws ends the thread, and the campaign with it. */
async function answer(errand: Errand): Promise<void> {
  port.postMessage(await runErrand(errand), []);
}
