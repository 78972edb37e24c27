import { keyPartition } from "@adstream/kafka/key-partition";
import { openPublisher, type Publisher } from "@adstream/kafka/publisher";
import { registrySettings } from "@adstream/service/connection-settings";
import { openLog } from "@adstream/service/log";
import { eventDecoder } from "@adstream/verify/decode-event";
import { isSound } from "@adstream/verify/event";
import { jobs } from "@adstream/verify/jobs/jobs";
import { type Letter, readLetters } from "./letters.ts";
import { redrive, type Redriven, sendDeadlineMs } from "./redrive.ts";
import { RedriveLedger } from "./redrive-ledger.ts";
import { decide, type Decision, isLate, type LatenessRules } from "./redrive-plan.ts";
import type { DlqConfig, Run } from "./run-dlq.ts";

const log = openLog({ name: "dlq", level: "silent" });

/** Prints the plan and, with `--yes`, carries it out. @returns the exit code */
export async function runRedrive(run: Run): Promise<number> {
  const { kafka, config, options, host } = run;
  const { selection, limit } = options;
  const say = (line: string): void => host.stdout(`${line}\n`);
  const topics = { events: config.EVENTS_TOPIC, deadLetters: config.DEAD_LETTER_TOPIC };
  const letters: Letter[] = [];
  let sinceMs = Infinity;
  await readLetters(kafka, topics.deadLetters, selection, (letter) => {
    // Without its bytes: there may be many.
    letters.push({ ...letter, value: null, headers: {} });
    sinceMs = Math.min(sinceMs, letter.time);
  });
  if (letters.length === 0) {
    say("no such letters");
    return 0;
  }
  const ledger = new RedriveLedger(topics.events);
  await ledger.catchUp(kafka, sinceMs);
  const decisions = new Map<Decision, number>();
  for (const letter of letters) {
    const decision = decide(letter, ledger, topics.events);
    decisions.set(decision, (decisions.get(decision) ?? 0) + 1);
  }
  const sendable = decisions.get("send") ?? 0;
  say(`${letters.length} letters, ${Math.min(sendable, limit)} to be sent to ${topics.events}`);
  for (const line of leftLines(decisions)) say(line);
  if (sendable === 0) return 0;
  if (!options.yes) {
    say("nothing is sent without --yes");
    return 0;
  }
  await using publisher = await openRedrivePublisher(run);
  const forecast = new Forecast(ledger, run);
  const onSent = (letter: Letter): void => forecast.add(letter);
  const target = { kafka, publisher, topics, ledger };
  const redriven = await redrive({ ...target, selection, limit, sinceMs, onSent });
  for (const line of redrivenLines(redriven)) say(line);
  for (const line of await forecast.lines()) say(line);
  return 0;
}

function openRedrivePublisher({ kafka, host }: Run): Promise<Publisher> {
  const open = host.openPublisher ?? openPublisher;
  return open({ kafka, log, deadlineMs: sendDeadlineMs });
}

const whyLeft: Readonly<Record<Exclude<Decision, "send">, string>> = {
  "redriven before": "were redriven before",
  "value not kept":
    "were too large to keep: only size and digest are left, send them from where they came",
  "too large": "are too large together with the headers that say where they come from",
  "redriven too often": "failed again five times: they are not redriven any more",
  "of another topic": "are of another topic than EVENTS_TOPIC",
  "older than the log":
    "are older than what the events topic still holds: whether they were redriven cannot be known",
};

function leftLines(decisions: ReadonlyMap<Decision, number>): string[] {
  return [...decisions].flatMap(([decision, count]) =>
    decision === "send" ? [] : [`  ${count} ${whyLeft[decision]}`],
  );
}

function redrivenLines({ sent, left, elsewhere }: Redriven): string[] {
  return [
    `${sent} letters redriven`,
    ...leftLines(left),
    ...(elsewhere > 0 ? [`  partitions in the hands of another redrive: ${elsewhere}`] : []),
  ];
}

/** What will become of them, about: judged by the job and the schemas of now, and by how far the log has come in time. */
class Forecast {
  #late = 0;
  #unreadable = 0;
  #judged: Promise<void> = Promise.resolve();
  readonly #ledger: RedriveLedger;
  readonly #config: DlqConfig;
  readonly #decode: ReturnType<typeof eventDecoder>;

  constructor(ledger: RedriveLedger, { config }: Run) {
    this.#ledger = ledger;
    this.#config = config;
    this.#decode = eventDecoder({
      job: jobs[config.JOB],
      format: config.EVENTS_FORMAT,
      registry: registrySettings(config),
      withIds: false,
    });
  }

  add(letter: Letter): void {
    this.#judged = this.#judge(letter, this.#judged);
    this.#judged.catch(() => {});
  }

  async #judge({ key, value, id }: Letter, before: Promise<void>): Promise<void> {
    await before;
    const { newest } = this.#ledger;
    const partition = keyPartition(key ?? Buffer.from(id), newest.size);
    const event = await this.#decode(value);
    if (event === undefined || !isSound(event)) this.#unreadable += 1;
    else if (isLate(event.time, newest.get(partition) ?? -1, this.#rules)) this.#late += 1;
  }

  async lines(): Promise<string[]> {
    try {
      await this.#judged;
    } catch {
      return ["how many of them are late cannot be told: the schema registry does not answer"];
    }
    const lines: string[] = [];
    if (this.#late > 0) {
      lines.push(`about ${this.#late} of them are late by now: they go to the late topic`);
    }
    if (this.#unreadable > 0) {
      lines.push(`${this.#unreadable} of them still cannot be read: they come back`);
    }
    return lines;
  }

  get #rules(): LatenessRules {
    return {
      windowSizeMs: this.#config.WINDOW_SIZE,
      windowSlideMs: this.#config.WINDOW_SLIDE,
      watermarkDelayMs: this.#config.WATERMARK_DELAY,
      allowedLatenessMs: this.#config.ALLOWED_LATENESS,
    };
  }
}
