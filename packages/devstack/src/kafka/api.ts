import type { BrokerClock } from "./clock.ts";
import type { Target } from "./faults.ts";
import type { Groups } from "./groups.ts";
import type { Topics } from "./topics.ts";
import type { WireReader, WireWriter } from "./wire.ts";

/** What request handlers work on. */
export type Broker = {
  readonly nodeId: number;
  readonly clusterId: string;
  /** What clients are told to connect to. */
  readonly host: string;
  readonly port: number;
  readonly topics: Topics;
  readonly groups: Groups;
  readonly clock: BrokerClock;
  /** Partitions of a topic whose creator leaves the number to the broker. */
  readonly defaultPartitions: number;
  readonly autoCreateTopics: boolean;
  readonly nextProducerId: () => number;
};

/** One request on its way. */
export type Call = {
  readonly version: number;
  readonly out: WireWriter;
  readonly broker: Broker;
  readonly clientId: string;
  readonly clientHost: string;
  /** Aborts when the connection is gone: long polls end. */
  readonly signal: AbortSignal;
  /** Error code of a scripted fault for this part of the request; 0 without one. Ask before any effect. */
  readonly injected: (topic?: string, partition?: number) => number;
};

/** One API key: its versions, how its request is read, what it does. */
export type Api<Request> = {
  readonly key: number;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** First version with compact lengths and tagged fields; left out: none that we support. */
  readonly flexibleFrom?: number;
  read(input: WireReader, version: number): Request;
  /** Topics and partitions the request names, for faults that mean some of them. */
  targets?(request: Request): Target[];
  /** True when the client expects no response at all. */
  silent?(request: Request): boolean;
  answer(request: Request, call: Call): void | Promise<void>;
};

/** A request that was read, ready to be answered. */
export type Prepared = {
  readonly targets: readonly Target[];
  readonly silent: boolean;
  answer(call: Call): void | Promise<void>;
};

/** An API whose request type nobody needs to know. */
export type Endpoint = Pick<
  Api<unknown>,
  "key" | "name" | "minVersion" | "maxVersion" | "flexibleFrom"
> & {
  prepare(input: WireReader, version: number): Prepared;
};

export function endpoint<Request>(api: Api<Request>): Endpoint {
  return {
    ...api,
    prepare(input, version) {
      const request = api.read(input, version);
      return {
        targets: api.targets?.(request) ?? [],
        silent: api.silent?.(request) ?? false,
        answer: (call) => api.answer(request, call),
      };
    },
  };
}

/** Topics with a list of things in them: the shape most requests share. */
export type PerTopic<Item> = { readonly topic: string; readonly items: readonly Item[] };

export function readPerTopic<Item>(input: WireReader, item: () => Item): PerTopic<Item>[] {
  return input.array(() => readTopic(input, item));
}

/** One entry of such a list. */
export function readTopic<Item>(input: WireReader, item: () => Item): PerTopic<Item> {
  const topic = input.string();
  const items = input.array(item);
  input.tags();
  return { topic, items };
}

export function writePerTopic<Item>(
  out: WireWriter,
  topics: readonly PerTopic<Item>[],
  write: (item: Item, topic: string) => void,
): void {
  out.array(topics, ({ topic, items }) => {
    out.string(topic).array(items, (item) => write(item, topic));
    out.tags();
  });
}

export function targetsOf(topics: readonly PerTopic<{ readonly partition: number }>[]): Target[] {
  return topics.flatMap(({ topic, items }) => items.map(({ partition }) => ({ topic, partition })));
}
