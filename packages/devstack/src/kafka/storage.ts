import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { SegmentFiles, StoredLog } from "./log.ts";
import type { OffsetChange } from "./offsets.ts";
import { intact, readHeader } from "./record-batch.ts";
import type { Topic, TopicFiles } from "./topics.ts";

type StoredTopic = {
  readonly name: string;
  readonly configs: Readonly<Record<string, string>>;
  /** One log start per partition. */
  readonly logStarts: readonly number[];
};
type State = { readonly clusterId: string; readonly topics: readonly StoredTopic[] };

/**
 * The data directory:
 *   state.json                     cluster id, topics with settings and log starts; replaced as a whole
 *   offsets.ndjson                 one committed offset per line, the last one counts; rewritten on start
 *   producer-ids                   first producer id that was never given out
 *   logs/<topic>-<partition>/<base offset>.log    record batches, one behind the other
 * Written before the client gets its answer, not synced: it survives the process, not the machine. A torn tail is
 * not read. One process at a time: the server holds a lock on it.
 */
export class Storage implements TopicFiles {
  readonly clusterId: string;
  readonly topics: readonly StoredTopic[];
  readonly offsets: readonly OffsetChange[];
  readonly #directory: string;
  readonly #logs = new Map<string, LogFiles>();
  readonly #offsetsFile: number;

  /** Opens or creates the directory. `newClusterId` is used when it is new. */
  constructor(directory: string, newClusterId: string) {
    this.#directory = directory;
    mkdirSync(join(directory, "logs"), { recursive: true });
    const state = readState(directory);
    this.clusterId = state?.clusterId ?? newClusterId;
    this.topics = state?.topics ?? [];
    this.offsets = readOffsets(join(directory, "offsets.ndjson"));
    this.#offsetsFile = rewriteOffsets(join(directory, "offsets.ndjson"), this.offsets);
    if (state === undefined) this.saveTopics([]);
  }

  segmentFiles(topic: string, partition: number): SegmentFiles {
    return this.#files(topic, partition);
  }

  open(topic: string, partition: number, logStart: number | undefined): StoredLog {
    const files = this.#files(topic, partition);
    if (logStart !== undefined) return { start: logStart, segments: files.load() };
    files.removeAll();
    return { start: 0, segments: [] };
  }

  saveTopics(topics: Iterable<Topic>): void {
    const stored = [...topics].map(({ name, configs, partitions }): StoredTopic => {
      const logStarts = partitions.map(({ log }) => log.start);
      return { name, configs: Object.fromEntries(configs), logStarts };
    });
    const state: State = { clusterId: this.clusterId, topics: stored };
    replaceFile(join(this.#directory, "state.json"), `${JSON.stringify(state, undefined, 2)}\n`);
  }

  removeTopic({ name, partitions }: Topic): void {
    for (const { index } of partitions) {
      this.#files(name, index).removeAll();
      this.#logs.delete(`${name}-${index}`);
    }
  }

  recordOffset(change: OffsetChange): void {
    writeSync(this.#offsetsFile, `${JSON.stringify(change)}\n`);
  }

  /** Ids given out before a restart must not come again: they are reserved in blocks. */
  reserveProducerIds(count: number): number {
    const path = join(this.#directory, "producer-ids");
    const first = existsSync(path) ? Number(readFileSync(path, "utf8")) : FIRST_PRODUCER_ID;
    replaceFile(path, String(first + count));
    return first;
  }

  close(): void {
    closeSync(this.#offsetsFile);
    for (const files of this.#logs.values()) files.close();
  }

  #files(topic: string, partition: number): LogFiles {
    const name = `${topic}-${partition}`;
    const files = this.#logs.get(name) ?? new LogFiles(join(this.#directory, "logs", name));
    this.#logs.set(name, files);
    return files;
  }
}

export const FIRST_PRODUCER_ID = 1000;

/** Segment files of one partition. */
class LogFiles implements SegmentFiles {
  readonly #directory: string;
  #open: { readonly segmentBase: number; readonly file: number } | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  append(segmentBase: number, batch: Buffer): void {
    if (this.#open?.segmentBase !== segmentBase) {
      this.close();
      mkdirSync(this.#directory, { recursive: true });
      this.#open = { segmentBase, file: openSync(this.#path(segmentBase), "a") };
    }
    for (let at = 0; at < batch.length;) at += writeSync(this.#open.file, batch, at);
  }

  remove(segmentBase: number): void {
    rmSync(this.#path(segmentBase), { force: true });
  }

  removeAll(): void {
    this.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  load(): Buffer[] {
    if (!existsSync(this.#directory)) return [];
    const names = readdirSync(this.#directory).filter((name) => name.endsWith(".log"));
    return names.sort().flatMap((name) => loadSegment(join(this.#directory, name)));
  }

  close(): void {
    if (this.#open !== undefined) closeSync(this.#open.file);
    this.#open = undefined;
  }

  #path(segmentBase: number): string {
    return join(this.#directory, `${String(segmentBase).padStart(20, "0")}.log`);
  }
}

/**
 * Whole, intact batches of the file. What lies behind them stays there unread: appends go to a new file. A file
 * without any is removed, because the new one would have its name.
 */
function loadSegment(path: string): Buffer[] {
  const bytes = readFileSync(path);
  let wholeBytes = 0;
  for (let header = readHeader(bytes); header; header = readHeader(bytes, wholeBytes)) {
    if (!intact(bytes.subarray(wholeBytes, wholeBytes + header.sizeBytes))) break;
    wholeBytes += header.sizeBytes;
  }
  if (wholeBytes > 0) return [bytes.subarray(0, wholeBytes)];
  rmSync(path);
  return [];
}

function readState(directory: string): State | undefined {
  const path = join(directory, "state.json");
  if (!existsSync(path)) return undefined;
  const state: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (!isState(state)) throw new Error(`${path} is not the state of a broker`);
  return state;
}

function isState(value: unknown): value is State {
  if (typeof value !== "object" || value === null) return false;
  return "clusterId" in value && "topics" in value && Array.isArray(value.topics);
}

function readOffsets(path: string): OffsetChange[] {
  if (!existsSync(path)) return [];
  const latest = new Map<string, OffsetChange>();
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const change = parseOffset(line);
    if (change === undefined) continue;
    const key = JSON.stringify([change.group, change.topic, change.partition]);
    latest.set(key, change);
  }
  return [...latest.values()].filter(({ committed }) => committed !== undefined);
}

/** Undefined for a line that was torn. */
function parseOffset(line: string): OffsetChange | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isOffsetChange(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isOffsetChange(value: unknown): value is OffsetChange {
  if (typeof value !== "object" || value === null) return false;
  return "group" in value && "topic" in value && "partition" in value;
}

function rewriteOffsets(path: string, offsets: readonly OffsetChange[]): number {
  replaceFile(path, offsets.map((change) => `${JSON.stringify(change)}\n`).join(""));
  return openSync(path, "a");
}

function replaceFile(path: string, content: string): void {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}
