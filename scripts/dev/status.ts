/** What the pipeline's processes said of themselves last; every figure is undefined until somebody said it. */
export type PipelineStatus = {
  /** Records read per second, over the time since the last look. */
  readonly inPerSecond: number;
  readonly repeatShare: number | undefined;
  readonly openWindows: number;
  readonly closedWindows: number;
  readonly lagRecords: number | undefined;
  readonly late: number;
  readonly dead: number;
  /** Records read since the beginning of the log, of the partitions that somebody has. */
  readonly in: number;
  readonly produced: number;
  readonly eventToMongoP99Ms: number | undefined;
  readonly checkpointAgeMs: number | undefined;
  readonly documentsWritten: number;
  readonly sinkLagRecords: number | undefined;
};

type Message = Readonly<Record<string, unknown>>;
type TaskFigures = {
  readonly in: number;
  readonly late: number;
  readonly dead: number;
  readonly openWindows: number;
  readonly closedWindows: number;
  readonly lagRecords: number | undefined;
  readonly checkpointAgeMs: number;
};

/** Gathers the messages of producer, processors and sink. */
export class PipelineFigures {
  readonly #tasks = new Map<number, TaskFigures & { readonly owner: string }>();
  /** Records read of each partition, also of those that nobody has right now. */
  readonly #seenOf = new Map<number, number>();
  #producer: Message = {};
  #sink: Message = {};
  #seen = 0;
  #seenAtMs = 0;

  /** Notes what the child `owner` says of itself. */
  add(owner: string, message: Message): void {
    if (message["service"] === "producer" && "produced" in message) this.#producer = message;
    if (message["service"] === "sink" && "documents" in message) this.#sink = message;
    const tasks: unknown = message["tasks"];
    if (!Array.isArray(tasks)) return;
    for (const task of tasks) {
      const figures: Message = task;
      const partition = numberOf(figures["partition"]) ?? -1;
      const said = taskFigures(figures);
      this.#tasks.set(partition, { ...said, owner });
      this.#seenOf.set(partition, said.in);
    }
  }

  /** The child is gone: what it said last is no longer so. */
  forget(owner: string): void {
    if (owner === "sink") this.#sink = {};
    for (const [partition, task] of this.#tasks) {
      if (task.owner === owner) this.#tasks.delete(partition);
    }
  }

  status(nowMs: number): PipelineStatus {
    const tasks = [...this.#tasks.values()];
    const sum = (read: (task: TaskFigures) => number): number =>
      tasks.reduce((total, task) => total + read(task), 0);
    const seen = [...this.#seenOf.values()].reduce((total, one) => total + one, 0);
    const inPerSecond = ((seen - this.#seen) * 1_000) / Math.max(1, nowMs - this.#seenAtMs);
    this.#seen = seen;
    this.#seenAtMs = nowMs;
    const lagKnown = tasks.length > 0 && tasks.every((task) => task.lagRecords !== undefined);
    const produced = numberOf(this.#producer["produced"]) ?? 0;
    const repeats = numberOf(this.#producer["repeats"]);
    return {
      inPerSecond: Math.max(0, inPerSecond),
      repeatShare: repeats === undefined || produced === 0 ? undefined : repeats / produced,
      // Partitions hold the same windows, each its own part.
      openWindows: Math.max(0, ...tasks.map((task) => task.openWindows)),
      closedWindows: Math.max(0, ...tasks.map((task) => task.closedWindows)),
      lagRecords: lagKnown ? sum((task) => task.lagRecords ?? 0) : undefined,
      late: sum((task) => task.late),
      dead: sum((task) => task.dead),
      in: sum((task) => task.in),
      produced,
      eventToMongoP99Ms: numberOf(this.#sink["eventToMongoP99Ms"]),
      checkpointAgeMs:
        tasks.length === 0 ? undefined : Math.max(...tasks.map((task) => task.checkpointAgeMs)),
      documentsWritten: numberOf(this.#sink["documents"]) ?? 0,
      sinkLagRecords: numberOf(this.#sink["lagRecords"]),
    };
  }
}

function taskFigures(message: Message): TaskFigures {
  const figure = (name: string): number => numberOf(message[name]) ?? 0;
  return {
    in: figure("in"),
    late: figure("late"),
    dead: figure("dead"),
    openWindows: figure("openWindows"),
    closedWindows: figure("closedWindows"),
    lagRecords: numberOf(message["lagRecords"]),
    checkpointAgeMs: figure("checkpointAgeMs"),
  };
}

/** The status as one line of text. */
export function statusLine(elapsedMs: number, status: PipelineStatus): string {
  const { repeatShare, lagRecords, eventToMongoP99Ms, checkpointAgeMs } = status;
  return [
    clock(elapsedMs),
    `in ${Math.round(status.inPerSecond)}/s`,
    `repeats ${repeatShare === undefined ? "–" : `${Math.round(repeatShare * 100)} %`}`,
    `windows ${status.openWindows} open ${status.closedWindows} closed`,
    `lag ${lagRecords ?? "–"}`,
    `late ${status.late}`,
    `dead letters ${status.dead}`,
    `event→MongoDB p99 ${seconds(eventToMongoP99Ms)}`,
    `checkpoint ${checkpointAgeMs === undefined ? "–" : `${seconds(checkpointAgeMs)} ago`}`,
  ].join("  ");
}

function clock(ms: number): string {
  const total = Math.floor(ms / 1_000);
  return `${String(Math.floor(total / 60)).padStart(2, "0")}:${String(total % 60).padStart(2, "0")}`;
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "–" : `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
