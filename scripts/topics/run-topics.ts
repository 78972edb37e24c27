import { parseArgs } from "node:util";
import { jobDefaults, jobNames } from "@adstream/contracts/jobs";
import { topicSpecs } from "@adstream/contracts/topics";
import { connectKafka } from "@adstream/kafka/connection";
import { createTopics, deleteTopics, describeTopics } from "@adstream/kafka/topics";
import { ConfigError } from "@adstream/service/config-error";
import { kafkaSettings } from "@adstream/service/connection-settings";
import {
  kafkaEnvironment,
  logEnvironment,
  readEnvironment,
  sinkDeadLetterTopic,
  topicSettingsEnvironment,
  topicsEnvironment,
} from "@adstream/service/environment";
import { oneOf } from "@adstream/service/fields";
import { openLog } from "@adstream/service/log";
import { reachServer } from "@adstream/service/reach-server";
import { z } from "zod";
import * as commands from "./commands.ts";
import type { TopicSpec } from "@adstream/contracts/topics";
import type { TopicAdmin } from "./commands.ts";

/** What `pnpm topics` reads. */
export const environment = z.object({
  ...kafkaEnvironment,
  JOB: oneOf(jobNames).default("ad-stats"),
  ...topicsEnvironment,
  SINK_DEAD_LETTER_TOPIC: sinkDeadLetterTopic,
  ...topicSettingsEnvironment,
  LOG_LEVEL: logEnvironment.LOG_LEVEL.unwrap().default("error"),
});

type TopicsConfig = z.output<typeof environment>;

export const usage = `usage: pnpm topics create|clear|describe [--yes]
  create    makes the topics that are missing, with the right settings
  clear     deletes the topics with all their records and makes them again; needs --yes
  describe  shows partitions, offsets and settings, and what is not as it should be
`;

/** The process, as far as the command touches it. */
export type TopicsProcess = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly envFile: string | null;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly openAdmin: (config: TopicsConfig, host: TopicsProcess) => TopicAdmin;
};

type Command = keyof typeof actions;

const actions = {
  create: commands.createTopics,
  clear: commands.clearTopics,
  describe: commands.describeTopics,
} as const;

/** Runs one command. @returns the exit code: 0, 64 for mistakes in arguments or environment, else the failure's own */
export async function runTopics(host: TopicsProcess): Promise<number> {
  try {
    const command = commandOf(host.argv);
    if (command === "help") {
      host.stdout(usage);
      return 0;
    }
    const config = readEnvironment(environment, {
      env: host.env,
      file: host.envFile,
      defaults: (given) => jobDefaults(given("JOB")),
    });
    const admin = host.openAdmin(config, host);
    await actions[command](admin, specsOf(config), (line) => host.stdout(`${line}\n`));
    return 0;
  } catch (error) {
    host.stderr(lastWords(error));
    const code: unknown = error instanceof Error ? Reflect.get(error, "exitCode") : undefined;
    return typeof code === "number" ? code : 70;
  }
}

function commandOf(argv: readonly string[]): Command | "help" {
  const { values, positionals, tokens } = parseArgs({
    args: argv[0] === "--" ? argv.slice(1) : [...argv],
    options: { yes: { type: "boolean" }, help: { type: "boolean" } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  if (values["help"] === true) return "help";
  const [command = "", ...more] = positionals;
  const problems = [
    ...(command in actions
      ? []
      : [`${command || "no command"}: there are create, clear and describe`]),
    ...more.map((word) => `${word}: one command at a time`),
    ...tokens.flatMap((token) =>
      token.kind === "option" && token.name !== "yes"
        ? [`${token.rawName}: there is no such flag`]
        : [],
    ),
  ];
  if (command === "clear" && values["yes"] !== true) {
    problems.push("clear deletes all records of the topics: say --yes if that is wanted");
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return command === "create" || command === "clear" ? command : "describe";
}

function specsOf(config: TopicsConfig): TopicSpec[] {
  const names = {
    events: config.EVENTS_TOPIC,
    results: config.RESULTS_TOPIC,
    resultDeadLetters: config.SINK_DEAD_LETTER_TOPIC,
    deadLetters: config.DEAD_LETTER_TOPIC,
    late: config.LATE_TOPIC,
    audit: config.AUDIT_TOPIC,
  };
  const replicationFactor = config.TOPIC_REPLICATION_FACTOR;
  return topicSpecs(names, { partitions: config.TOPIC_PARTITIONS, replicationFactor });
}

/** Servers may still be starting; a script that calls this should hear about it in the end. */
const patienceMs = 60_000;

/** The commands' view of the cluster that the configuration names; each call waits for brokers that do not answer yet. */
export function kafkaAdmin(config: TopicsConfig, { stderr }: TopicsProcess): TopicAdmin {
  const log = openLog({ name: "topics", level: config.LOG_LEVEL, destination: { write: stderr } });
  const kafka = connectKafka(kafkaSettings(config, "adstream-topics"), log);
  const address = config.KAFKA_BROKERS.join(",");
  const signal = AbortSignal.timeout(patienceMs);
  const patiently = async <Result>(connect: () => Promise<Result>): Promise<Result> => {
    const server = "Kafka";
    const variable = "KAFKA_BROKERS";
    const line = `Kafka at ${address} (KAFKA_BROKERS) does not answer`;
    const warn = (): void => stderr(`${line}, trying again\n`);
    try {
      return await reachServer({ server, variable, address, connect, log: { warn }, signal });
    } catch (error) {
      if (error !== signal.reason) throw error;
      throw new Error(`${line} within ${patienceMs / 1_000} s`, { cause: error });
    }
  };
  return {
    create: (specs) => patiently(() => createTopics(kafka, specs)),
    describe: (topics) => patiently(() => describeTopics(kafka, topics)),
    delete: (topics) => patiently(() => deleteTopics(kafka, topics)),
  };
}

function lastWords(error: unknown): string {
  if (error instanceof ConfigError) {
    return `adstream topics: ${error.problems.join("\n  ")}\n`;
  }
  const text = error instanceof Error ? error.message : String(error);
  return `adstream topics: ${text.replaceAll(/\s*\n\s*/g, " ")}\n`;
}
