import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { Frames } from "../../src/kafka/frames.ts";
import { WireReader, WireWriter } from "../../src/kafka/wire.ts";

export type Response = { readonly correlationId: number; readonly body: WireReader };

/** One connection that speaks the wire protocol byte for byte, for what no client lets a test do. */
export class RawClient implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #frames = new Frames();
  readonly #responses: Buffer[] = [];
  readonly #waiting: ((frame: Buffer | undefined) => void)[] = [];
  #correlationId = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      for (const frame of this.#frames.push(chunk)) this.#deliver(frame);
    });
    socket.on("close", () => {
      for (const waiting of this.#waiting.splice(0)) waiting(undefined);
    });
    socket.on("error", () => {});
  }

  /** Sends a classic request and returns its correlation id without waiting for the response. */
  send(apiKey: number, version: number, write: (out: WireWriter) => void): number {
    const correlationId = this.#correlationId++;
    const out = new WireWriter(false);
    out.int16(apiKey).int16(version).int32(correlationId).string("raw-client");
    write(out);
    const size = Buffer.alloc(4);
    size.writeInt32BE(out.sizeBytes);
    this.#socket.write(Buffer.concat([size, ...out.finish()]));
    return correlationId;
  }

  /** The next response, whichever request it is for; undefined when the connection was closed instead. */
  async receive(): Promise<Response | undefined> {
    const frame = this.#responses.shift() ?? (await this.#next());
    if (frame === undefined) return undefined;
    const body = new WireReader(frame, false);
    return { correlationId: body.int32(), body };
  }

  /** Sends a request and reads its response. */
  async request(
    apiKey: number,
    version: number,
    write: (out: WireWriter) => void,
  ): Promise<WireReader> {
    const correlationId = this.send(apiKey, version, write);
    const response = await this.receive();
    if (response === undefined) throw new Error(`connection closed on api key ${apiKey}`);
    if (response.correlationId !== correlationId) throw new Error("response out of order");
    return response.body;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.closed) return;
    const closed = once(this.#socket, "close");
    this.#socket.destroy();
    await closed;
  }

  #deliver(frame: Buffer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#responses.push(frame);
    else waiting(frame);
  }

  #next(): Promise<Buffer | undefined> {
    if (this.#socket.destroyed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

export async function openRawClient({
  host,
  port,
}: {
  host: string;
  port: number;
}): Promise<RawClient> {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, "connect");
  return new RawClient(socket);
}

export type Produced = {
  readonly error: number;
  readonly baseOffset: number;
  readonly appendTimeMs: number;
};

/** Produce v7 of one batch. */
export async function produceRaw(
  client: RawClient,
  topic: string,
  batch: Buffer,
  partition = 0,
): Promise<Produced> {
  const body = await client.request(0, 7, (out) =>
    writeProduce(out, { topic, batch, partition, acks: -1 }),
  );
  return readProduced(body);
}

export function writeProduce(
  out: WireWriter,
  options: { topic: string; batch: Buffer; partition?: number; acks: number },
): void {
  out.nullableString(null).int16(options.acks).int32(1000);
  out.array([options.topic], (topic) => {
    out.string(topic).array([options.partition ?? 0], (index) => {
      out.int32(index).bytes(options.batch);
    });
  });
}

export function readProduced(body: WireReader): Produced {
  const [topic] = body.array(() => {
    body.string();
    return body.array(() => {
      body.int32();
      const produced = {
        error: body.int16(),
        baseOffset: body.int64(),
        appendTimeMs: body.int64(),
      };
      body.int64();
      return produced;
    });
  });
  return topic![0]!;
}

export type FetchOptions = {
  readonly topic: string;
  readonly offset: number;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
};
export type Fetched = {
  readonly error: number;
  readonly highWatermark: number;
  readonly logStart: number;
  readonly records: Buffer;
};

/** Fetch v11 of partition 0. */
export async function fetchRaw(client: RawClient, options: FetchOptions): Promise<Fetched> {
  return readFetched(await client.request(1, 11, (out) => writeFetch(out, options)));
}

export function writeFetch(out: WireWriter, options: FetchOptions): void {
  const maxBytes = options.maxBytes ?? 1_000_000;
  out
    .int32(-1)
    .int32(options.maxWaitMs ?? 0)
    .int32(options.minBytes ?? 1)
    .int32(maxBytes);
  out.int8(0).int32(0).int32(-1);
  out.array([options.topic], (topic) => {
    out.string(topic).array([0], (partition) => {
      out.int32(partition).int32(-1).int64(options.offset).int64(-1).int32(maxBytes);
    });
  });
  out.array([], () => {}).string("");
}

export function readFetched(body: WireReader): Fetched {
  body.int32();
  body.int16();
  body.int32();
  const [topic] = body.array(() => {
    body.string();
    return body.array(() => {
      body.int32();
      const error = body.int16();
      const highWatermark = body.int64();
      body.int64();
      const logStart = body.int64();
      body.nullableArray(() => {});
      body.int32();
      return { error, highWatermark, logStart, records: body.bytes() };
    });
  });
  return topic![0]!;
}

/** CreateTopics v4. @returns the error code */
export async function createTopicRaw(
  client: RawClient,
  topic: string,
  configs: Readonly<Record<string, string>> = {},
  partitions = 1,
): Promise<number> {
  const body = await client.request(19, 4, (out) => {
    out.array([topic], (name) => {
      out
        .string(name)
        .int32(partitions)
        .int16(1)
        .array([], () => {});
      out.array(Object.entries(configs), ([key, value]) => out.string(key).nullableString(value));
    });
    out.int32(1000).boolean(false);
  });
  body.int32();
  const [error] = body.array(() => {
    body.string();
    const code = body.int16();
    body.nullableString();
    return code;
  });
  return error!;
}

/** A member that joins (v3: without the detour over error 79) and is never heard of again. */
export async function joinRaw(
  client: RawClient,
  groupId: string,
  options: { sessionTimeoutMs: number; topic: string },
): Promise<{ error: number; generation: number }> {
  const subscription = new WireWriter(false);
  subscription
    .int16(0)
    .array([options.topic], (topic) => subscription.string(topic))
    .int32(-1);
  const body = await client.request(11, 3, (out) => {
    out
      .string(groupId)
      .int32(options.sessionTimeoutMs)
      .int32(options.sessionTimeoutMs * 2);
    out.string("").string("consumer");
    out.array(["RoundRobinAssigner"], (name) => {
      out.string(name).bytes(Buffer.concat(subscription.finish()));
    });
  });
  body.int32();
  return { error: body.int16(), generation: body.int32() };
}

/** OffsetCommit v2 of partition 0, as tools do it: without a member. @returns the error code */
export async function commitRaw(
  client: RawClient,
  groupId: string,
  topic: string,
  offset: number,
): Promise<number> {
  const body = await client.request(8, 2, (out) => {
    out.string(groupId).int32(-1).string("").int64(-1);
    out.array([topic], (name) => {
      out.string(name).array([0], (partition) => {
        out.int32(partition).int64(offset).nullableString(null);
      });
    });
  });
  const [codes] = body.array(() => {
    body.string();
    return body.array(() => {
      body.int32();
      return body.int16();
    });
  });
  return codes![0]!;
}
