import { setTimeout as sleep } from "node:timers/promises";
import { reachServer } from "@adstream/service/reach-server";
import type { ServiceContext } from "@adstream/service/run-service";
import type { VerifyConfig } from "./config.ts";
import { mongoDocuments, type WindowRange } from "./documents.ts";
import { type RoundResult, verifyMetrics } from "./metrics.ts";
import { openTarget } from "./open-target.ts";
import { topicSpans } from "./raw-topic.ts";
import { escaped, problemsOf } from "./report.ts";
import { type Verification, verify, type VerifyScope, type VerifyTarget } from "./verify.ts";

type Context = ServiceContext<VerifyConfig>;

/**
 * Samples finished windows for ever: each time a random partition and time span. What is wrong is looked at again after
 * VERIFY_SETTLE, with the whole margin: results may still have been on their way. Differences end nothing; they are
 * logged as errors and counted.
 */
export async function watch(context: Context): Promise<void> {
  const { config, log, signal } = context;
  const target = await reachServer({
    server: "Kafka or MongoDB",
    variable: "KAFKA_BROKERS",
    address: config.KAFKA_BROKERS.join(","),
    connect: () => openTarget(config, log),
    log,
    signal,
  });
  await using _target = target;
  const metrics = verifyMetrics(context.metrics);
  context.ready();
  while (!signal.aborted) {
    const startedAt = performance.now();
    const { result, verification } = await round(target, context);
    if (verification !== undefined && result !== "expired") metrics.compared(verification.windows);
    metrics.round(result, performance.now() - startedAt, Date.now());
    await sleep(config.VERIFY_EVERY ?? 0, undefined, { signal }).catch(() => {});
  }
}

type Round = { readonly result: RoundResult; readonly verification?: Verification };

async function round(target: VerifyTarget, { config, log, signal }: Context): Promise<Round> {
  try {
    const sample = await chooseSample(target, config.VERIFY_SAMPLE);
    if (sample === undefined) return { result: "empty" };
    const scope = { ...sample, onlyClosed: true, signal };
    const first = await verify(target, { ...scope, marginMs: config.VERIFY_MARGIN });
    const verification = isWrong(first) ? await lookAgain(target, scope, config, signal) : first;
    const { range, partition } = sample;
    const fields = { partition, from: new Date(range.from), to: new Date(range.to) };
    if (verification.expired.length > 0) {
      log.debug(fields, "sample is older than the log");
      return { result: "expired", verification };
    }
    if (!isWrong(verification)) return { result: "equal", verification };
    const { windows } = verification;
    const first20 = windows.differences.map(({ id, verdict, problems }) => ({
      id: escaped(id),
      verdict,
      problems: problems.map(escaped),
    }));
    const problems = problemsOf(verification);
    log.error({ ...fields, problems, windows: first20 }, "results differ from the log");
    return { result: "different", verification };
  } catch (error) {
    if (signal.aborted) return { result: "empty" };
    log.warn({ err: error }, "sample not verified");
    return { result: "failed" };
  }
}

async function lookAgain(
  target: VerifyTarget,
  scope: VerifyScope,
  config: VerifyConfig,
  signal: AbortSignal,
): Promise<Verification> {
  await sleep(config.VERIFY_SETTLE, undefined, { signal });
  return verify(target, scope);
}

function isWrong(verification: Verification): boolean {
  return problemsOf(verification).length > 0;
}

type Sample = { readonly range: WindowRange; readonly partition: number };

/** A partition and a span that begins with any window in MongoDB; undefined where there is nothing yet. */
async function chooseSample(
  { kafka, topics, collection, rules }: VerifyTarget,
  sampleMs: number,
): Promise<Sample | undefined> {
  const extent = await mongoDocuments(collection).extent();
  const partitions = [...(await topicSpans(kafka, topics.events)).keys()];
  const partition = partitions[Math.floor(Math.random() * partitions.length)];
  if (extent === undefined || partition === undefined) return undefined;
  const { windowSlideMs } = rules;
  const slides = Math.floor((extent.to - extent.from) / windowSlideMs) + 1;
  const from = extent.from + Math.floor(Math.random() * slides) * windowSlideMs;
  return { range: { from, to: from + sampleMs }, partition };
}
