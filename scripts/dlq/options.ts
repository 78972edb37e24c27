import { ConfigError } from "@adstream/service/config-error";
import { readCommandLine } from "../command-line.ts";
import type { Selection } from "./letters.ts";

export const usage = `usage: pnpm dlq list|show|redrive [flags]
  list                     letters by reason, schema id and partition, with times and a sample
  show <partition/offset>  one letter, named by where its original stands: headers, bytes, and read again
  redrive                  sends letters to the events topic again; prints the plan, and does it with --yes

  --topic dlq|late         which topic list and show read; dlq when left out
  --reason <text>          letters of this reason only
  --schema-id <number>     letters of this schema id only
  --origin <partition/offset>  this one letter only
  --limit <number>         redrive at most so many
  --yes                    redrive for good
  --json                   list and show: for programs
  --help                   this text

JOB says whose topics these are and how events are read, as for the processor: JOB=campaign-counts pnpm dlq list
A letter is redriven once, however often this is called, stopped half-way or run twice at a time: the events topic tells
what was sent. A letter that fails again comes back with a new origin and may be redriven again, five times in all.
First mend what was wrong, then redrive: register the schema, or start a processor that can read the records. A processor
that decided that a schema id is unknown stays with that until an operator takes the decision back.
Events keep their event time: those whose windows are closed by then are late and go to the late topic, where they are
counted as late and nowhere else. The plan says about how many; ALLOWED_LATENESS decides.
`;

export type DlqOptions = {
  readonly command: (typeof commands)[number];
  readonly topic: "dlq" | "late";
  readonly selection: Selection;
  readonly limit: number;
  readonly yes: boolean;
  readonly json: boolean;
};

const place = /^\d{1,9}\/\d{1,15}$/;
const commands = ["list", "show", "redrive"] as const;
const flags = {
  topic: { type: "string" },
  reason: { type: "string" },
  "schema-id": { type: "string" },
  origin: { type: "string" },
  limit: { type: "string" },
  yes: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** @throws {ConfigError} with every mistake */
export function dlqOptions(argv: readonly string[]): DlqOptions | "help" {
  const line = readCommandLine(argv, { commands, flags });
  if (line === "help") return line;
  const { command } = line;
  const problems = [...line.flagProblems, ...line.commandProblems];
  const require = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  const [shown, ...more] = command === "show" ? line.words : [undefined, ...line.words];
  const origin = shown ?? line.text("origin");
  for (const word of more) problems.push(`${word}: there is no such argument`);
  require(origin === undefined || place.test(origin), `${origin}: an origin is partition/offset`);
  require(command !== "show" || origin !== undefined, "show: which one? partition/offset");
  const topic = line.text("topic") ?? "dlq";
  require(topic === "dlq" || topic === "late", `--topic ${topic}: there are dlq and late`);
  require(command !== "redrive" || topic === "dlq", "redrive: late events would be late again");
  const [schemaId, limit] = [line.text("schema-id"), line.text("limit")];
  for (const number of [schemaId, limit]) {
    require(number === undefined || /^\d{1,10}$/.test(number), `${number}: must be a whole number`);
  }
  require(command === "redrive" || limit === undefined, "--limit: is for redrive");
  require(command === "redrive" || !line.given("yes"), "--yes: is for redrive");
  if (command === undefined || problems.length > 0) throw new ConfigError(problems);
  return {
    command,
    topic: topic === "late" ? topic : "dlq",
    selection: {
      reason: line.text("reason"),
      schemaId: schemaId === undefined ? undefined : Number(schemaId),
      origin,
    },
    limit: limit === undefined ? Infinity : Number(limit),
    yes: line.given("yes"),
    json: line.given("json"),
  };
}
