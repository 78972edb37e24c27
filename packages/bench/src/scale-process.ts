import { measureStates, type StatesSpec } from "./scale-states.ts";
import { measureTurnover, type TurnoverSpec } from "./scale-turnover.ts";

/** A process of its own for each measurement, so that memory of one is not that of another. */
export type ScaleSpec = { readonly states: StatesSpec } | { readonly turnover: TurnoverSpec };

const spec: ScaleSpec = JSON.parse(process.argv[2] ?? "{}");
const warmUp = { ads: 1_000, events: 1_000_000, checkpoints: 5, changed: 10 };
if ("states" in spec) {
  await measureStates(warmUp);
  process.stdout.write(JSON.stringify(await measureStates(spec.states)));
} else {
  measureTurnover({ adsPerPane: 1_000, panes: 100 });
  process.stdout.write(JSON.stringify(measureTurnover(spec.turnover)));
}
