import { adInteractionSchema } from "@adstream/contracts/ad-interaction";
import { interactionAvro, interactionJson } from "../interaction-values.ts";
import { interactions } from "../interactions.ts";
import type { TrafficJob } from "./job.ts";

const counted = { kind: "event", repeat: false, timing: "on time" } as const;

/** Interactions with 10 campaigns of 100 ads each, keyed by ad: the generator of the latency study. */
export const campaignCounts: TrafficJob = {
  schema: adInteractionSchema,
  open({ PRODUCER_SEED: seed }, schemaId) {
    const draw = interactions(seed);
    const write = schemaId === undefined ? interactionJson() : interactionAvro(schemaId);
    return (blocks, at, tally) => {
      const drawn = draw();
      blocks.append(drawn.key, write(drawn, at));
      tally.add(counted);
    };
  },
};
