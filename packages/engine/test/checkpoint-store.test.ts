import { describeCheckpointStore } from "./conformance/checkpoint-store.ts";
import { memoryCheckpointStore } from "./conformance/memory-checkpoint-store.ts";

describeCheckpointStore("in memory", async () => ({
  store: memoryCheckpointStore(),
  close: async () => {},
}));
