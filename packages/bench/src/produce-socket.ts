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

  /** @throws {Error} when an earlier batch was refused, too */
  async send(produce: Produce): Promise<void> {
    await this.#below(maxInFlight);
    this.#inFlight++;
    this.#socket.write(requestHead(produce));
    this.#socket.write(produce.batch);
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

function requestHead({ topic, partition, batch }: Produce): Buffer {
  const text = clientId.length + Buffer.byteLength(topic);
  const head = Buffer.alloc(40 + text);
  let at = head.writeInt32BE(head.length - 4 + batch.length, 0);
  at = head.writeInt16BE(produceKey, at);
  at = head.writeInt16BE(produceVersion, at);
  at = head.writeInt32BE(0, at); // correlation id: answers come in order
  at = writeString(head, at, clientId);
  at = head.writeInt16BE(-1, at); // no transaction
  at = head.writeInt16BE(-1, at); // acknowledged by all in sync
  at = head.writeInt32BE(ackTimeoutMs, at);
  at = head.writeInt32BE(1, at);
  at = writeString(head, at, topic);
  at = head.writeInt32BE(1, at);
  at = head.writeInt32BE(partition, at);
  head.writeInt32BE(batch.length, at);
  return head;
}

function writeString(into: Buffer, position: number, text: string): number {
  const at = into.writeInt16BE(Buffer.byteLength(text), position);
  return at + into.write(text, at);
}

/** size int32 | correlation id int32 | one topic: name string | one partition: index int32, error int16 | … */
function errorCodeOf(response: Buffer): number {
  const nameBytes = response.readInt16BE(12);
  return response.readInt16BE(14 + nameBytes + 8);
}
