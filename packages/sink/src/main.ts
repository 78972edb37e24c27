import { jobDefaults } from "@adstream/contracts/jobs";
import { runService } from "@adstream/service/run-service";

import { environment } from "./config.ts";
import { runSink } from "./run-sink.ts";

await runService({
  name: "sink",
  environment,
  defaults: (given) => jobDefaults(given("JOB")),
  main: runSink,
});
