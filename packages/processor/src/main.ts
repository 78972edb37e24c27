import { runService } from "@adstream/service/run-service";
import { jobDefaults } from "@adstream/contracts/jobs";
import { environment } from "./config.ts";
import { jobs } from "./jobs/jobs.ts";
import { openProcessor } from "./open-processor.ts";
import { operatorFlags } from "./operator-flags.ts";

const statusEveryMs = 1_000;

await runService({
  name: "processor",
  environment,
  defaults: (given) => jobDefaults(given("JOB")),
  flags: operatorFlags,
  async main({ config, log, metrics, signal, ready, status }) {
    await using processor = await openProcessor(jobs[config.JOB], config, { log, metrics, signal });
    const report = (): void => status({ tasks: processor.progress() });
    const timer = setInterval(report, statusEveryMs);
    ready();
    try {
      await processor.run(signal);
    } finally {
      clearInterval(timer);
      report();
    }
  },
});
