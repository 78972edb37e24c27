import { avroCodec } from "@adstream/kafka/avro-codec";
import { connectKafka, connectOnce, type KafkaConnection } from "@adstream/kafka/connection";
import type { openPublisher } from "@adstream/kafka/publisher";
import { openSchemaRegistry } from "@adstream/kafka/schema-registry";
import { ConfigError } from "@adstream/service/config-error";
import { kafkaSettings, registrySettings } from "@adstream/service/connection-settings";
import { readEnvironment } from "@adstream/service/environment";
import { openLog } from "@adstream/service/log";
import { scrubber, Secret } from "@adstream/service/secret";
import { defaults, rawLogEnvironment } from "@adstream/verify/config";
import { z } from "zod";
import { type Letter, readLetters } from "./letters.ts";
import { LetterCount, listLines } from "./list.ts";
import { type DlqOptions, dlqOptions, usage } from "./options.ts";
import { runRedrive } from "./run-redrive.ts";
import { decodeJson, decoder, showJson, showLines } from "./show.ts";

/** What `pnpm dlq` reads. */
export const environment = z.object(rawLogEnvironment);

export type DlqConfig = z.output<typeof environment>;

/** The process, as far as the command touches it. */
export type DlqProcess = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly envFile: string | null;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** In place of Kafka's, for tests. */
  readonly openPublisher?: typeof openPublisher;
};

/** One command under way. */
export type Run = {
  readonly options: DlqOptions;
  readonly config: DlqConfig;
  readonly kafka: KafkaConnection;
  readonly host: DlqProcess;
};

const log = openLog({ name: "dlq", level: "silent" });

/** Runs one command. @returns 0; 1 when there is no such letter; 64 for mistakes in arguments or environment; 70 */
export async function runDlq(host: DlqProcess): Promise<number> {
  let secrets: Secret[] = [];
  try {
    const options = dlqOptions(host.argv);
    if (options === "help") {
      host.stdout(usage);
      return 0;
    }
    const { env, envFile: file } = host;
    const config = readEnvironment(environment, { env, file, defaults });
    secrets = Object.values(config).filter((value) => value instanceof Secret);
    const kafka = connectKafka(kafkaSettings(config, "adstream-dlq"), log);
    await requireKafka(kafka);
    return await commands[options.command]({ options, config, kafka, host });
  } catch (error) {
    const problems =
      error instanceof ConfigError
        ? error.problems
        : [error instanceof Error ? error.message : String(error)];
    const text = problems.join("\n  ");
    host.stderr(`adstream dlq: ${scrubber(secrets)(text)}\n`);
    return error instanceof ConfigError ? error.exitCode : 70;
  }
}

/** @throws {StreamError} naming the brokers */
async function requireKafka(kafka: KafkaConnection): Promise<void> {
  const admin = kafka.admin();
  try {
    await connectOnce(() => admin.connect(), kafka);
  } finally {
    await admin.disconnect();
  }
}

const commands = { list, show, redrive: runRedrive } as const;

function topicOf({ options, config }: Run): string {
  return options.topic === "late" ? config.LATE_TOPIC : config.DEAD_LETTER_TOPIC;
}

async function list(run: Run): Promise<number> {
  const { kafka, options, host } = run;
  const topic = topicOf(run);
  const count = new LetterCount();
  const read = await readLetters(kafka, topic, options.selection, (letter) => count.add(letter));
  const groups = count.groups();
  if (options.json) host.stdout(`${JSON.stringify({ topic, groups, ...read }, null, 2)}\n`);
  else {
    const { repeated, foreign } = read;
    const lines = listLines(topic, groups);
    if (repeated > 0) lines.push(`${repeated} copies, which a crash leaves behind, not counted`);
    if (foreign > 0) lines.push(`${foreign} records that name no origin, not counted`);
    host.stdout(`${lines.join("\n")}\n`);
  }
  return 0;
}

async function show(run: Run): Promise<number> {
  const { kafka, config, options, host } = run;
  const topic = topicOf(run);
  const found: Letter[] = [];
  await readLetters(kafka, topic, options.selection, (letter) => {
    found.push(letter);
    return false;
  });
  const [letter] = found;
  if (letter === undefined) {
    host.stderr(`adstream dlq: ${topic} holds no letter of ${options.selection.origin}\n`);
    return 1;
  }
  const registry = openSchemaRegistry({ ...registrySettings(config), log });
  const decodeAvro = decoder((id) => registry.fetchSchema(id), avroCodec);
  const decode = config.EVENTS_FORMAT === "json" ? decodeJson : decodeAvro;
  const text = options.json
    ? JSON.stringify(await showJson(letter, decode), null, 2)
    : (await showLines(letter, decode)).join("\n");
  host.stdout(`${text}\n`);
  return 0;
}
