import { connect, type Socket } from "node:net";
import { once } from "node:events";

/** A batch on its way to one partition. */
export type Produce = {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
};

const produceKey = 0;
const produceVersion = 7;
const clientId = "adstream-bench";
const ackTimeoutMs = 30_000;
const maxInFlight = 16;
const requestHeadBytes = 32;
const partitionHeadBytes = 8;
const partitionResponseBytes = 30;

/**
 * Sends finished record batches to one broker, as Produce requests v7 over a plain socket:
 *
 *     size int32 | api key int16 | version int16 | correlation id int32 | client id string | transactional id string (-1) |
 *     acks int16 | timeout ms int32 | topics [name string, partitions [partition int32, records bytes]]
 *
 * Back pressure: `send` waits while 16 requests are unanswered.
 */
export class ProduceSocket {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #inFlight = 0;
  #failure: Error | undefined;
  #progress = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the broker closed the connection")));
  }

  static async open(host: string, port: number): Promise<ProduceSocket> {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, "connect");
    return new ProduceSocket(socket);
  }

  /**
   * In one request.
   * @param produces at least one, to different partitions of one topic
   * @throws {Error} when an earlier batch was refused, too
   */
  async send(...produces: readonly Produce[]): Promise<void> {
    await this.#below(maxInFlight);
    this.#inFlight++;
    this.#socket.cork();
    this.#socket.write(requestHead(produces));
    for (const { partition, batch } of produces) {
      this.#socket.write(partitionHead(partition, batch));
      this.#socket.write(batch);
    }
    this.#socket.uncork();
  }

  /** Waits until every batch is acknowledged. */
  async flush(): Promise<void> {
    await this.#below(1);
  }

  [Symbol.dispose](): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }

  async #below(limit: number): Promise<void> {
    while (this.#failure === undefined && this.#inFlight >= limit) await this.#progress.promise;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #read(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const { length } = this.#received;
      const end = length < 4 ? Infinity : 4 + this.#received.readInt32BE(0);
      if (length < end) return;
      const code = errorCodeOf(this.#received);
      this.#received = this.#received.subarray(end);
      if (code !== 0) this.#fail(new Error(`the broker refused a batch with error ${code}`));
      this.#inFlight--;
      this.#wake();
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  #wake(): void {
    const { resolve } = this.#progress;
    this.#progress = Promise.withResolvers<void>();
    resolve();
  }
}

function requestHead(produces: readonly Produce[]): Buffer {
  const topic = produces[0]?.topic ?? "";
  const head = Buffer.alloc(requestHeadBytes + clientId.length + Buffer.byteLength(topic));
  const bytes = produces.reduce((sum, { batch }) => sum + partitionHeadBytes + batch.length, 0);
  let at = head.writeInt32BE(head.length - 4 + bytes, 0);
  at = head.writeInt16BE(produceKey, at);
  at = head.writeInt16BE(produceVersion, at);
  at = head.writeInt32BE(0, at); // correlation id: answers come in order
  at = writeString(head, at, clientId);
  at = head.writeInt16BE(-1, at); // no transaction
  at = head.writeInt16BE(-1, at); // acknowledged by all in sync
  at = head.writeInt32BE(ackTimeoutMs, at);
  at = head.writeInt32BE(1, at);
  at = writeString(head, at, topic);
  head.writeInt32BE(produces.length, at);
  return head;
}

function partitionHead(partition: number, batch: Buffer): Buffer {
  const head = Buffer.alloc(partitionHeadBytes);
  head.writeInt32BE(partition, 0);
  head.writeInt32BE(batch.length, 4);
  return head;
}

function writeString(into: Buffer, position: number, text: string): number {
  const at = into.writeInt16BE(Buffer.byteLength(text), position);
  return at + into.write(text, at);
}

/** size int32 | correlation id int32 | one topic: name string | partitions [index int32, error int16, …] */
function errorCodeOf(response: Buffer): number {
  const partitionsAt = 14 + response.readInt16BE(12);
  const count = response.readInt32BE(partitionsAt);
  for (let index = 0; index < count; index++) {
    const code = response.readInt16BE(partitionsAt + 8 + index * partitionResponseBytes);
    if (code !== 0) return code;
  }
  return 0;
}
