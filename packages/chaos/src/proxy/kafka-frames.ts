import { Frames } from "@adstream/devstack/kafka/frames";
import { WireReader, WireWriter } from "@adstream/devstack/kafka/wire";
import type { Piece } from "./faults.ts";
import type { Pieces } from "./tcp-proxy.ts";

/** API keys of Kafka that faults are for. */
export const apiKeys = {
  produce: 0,
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  offsetCommit: 8,
  offsetFetch: 9,
  findCoordinator: 10,
  joinGroup: 11,
  heartbeat: 12,
  leaveGroup: 13,
  syncGroup: 14,
  apiVersions: 18,
  initProducerId: 22,
} as const;

/** Says where clients find the broker at "host:port" instead. */
export type Readdress = (address: string) => Promise<string>;

type Request = { readonly apiKey: number; readonly version: number };

const sizeBytes = 4;
const correlationBytes = 4;
/** From here on strings and arrays are compact, and headers have tags. */
const flexibleMetadata = 9;
const flexibleFindCoordinator = 3;

/**
 * Cuts one connection into requests and responses, and has brokers' addresses rewritten in those that name them.
 *
 * Request header:  api_key int16, api_version int16, correlation_id int32, …
 * Response header: correlation_id int32
 */
export function kafkaPieces(readdress: Readdress): Pieces {
  const frames = { request: new Frames(), response: new Frames() };
  const asked = new Map<number, Request>();
  return async (direction, chunk) => {
    const pieces: Piece[] = [];
    for (const frame of frames[direction].push(chunk)) {
      if (direction === "request") {
        const apiKey = frame.readInt16BE(0);
        asked.set(frame.readInt32BE(4), { apiKey, version: frame.readInt16BE(2) });
        pieces.push({ bytes: sized(frame), apiKey });
        continue;
      }
      const correlationId = frame.readInt32BE(0);
      const request = asked.get(correlationId);
      asked.delete(correlationId);
      const bytes = sized(await readdressed(frame, request, readdress));
      pieces.push({ bytes, apiKey: request?.apiKey });
    }
    return pieces;
  };
}

function sized(frame: Buffer): Buffer {
  const size = Buffer.allocUnsafe(sizeBytes);
  size.writeInt32BE(frame.length);
  return Buffer.concat([size, frame]);
}

async function readdressed(
  frame: Buffer,
  request: Request | undefined,
  readdress: Readdress,
): Promise<Buffer> {
  if (request?.apiKey === apiKeys.metadata) return metadata(frame, request.version, readdress);
  if (request?.apiKey !== apiKeys.findCoordinator) return frame;
  return coordinator(frame, request.version, readdress);
}

/** throttle_ms int32 (v3), [node_id int32, host string, port int32, rack nullable_string (v1)], … */
async function metadata(frame: Buffer, version: number, readdress: Readdress): Promise<Buffer> {
  refuseFrom(flexibleMetadata, version);
  const start = correlationBytes + (version >= 3 ? 4 : 0);
  const input = new WireReader(frame, false, start);
  const out = new WireWriter(false);
  const brokers = input.array(() => ({
    nodeId: input.int32(),
    host: input.string(),
    port: input.int32(),
    rack: version >= 1 ? input.nullableString() : null,
  }));
  const moved = await Promise.all(
    brokers.map(async ({ host, port }) => readdress(`${host}:${port}`)),
  );
  out.array([...brokers.entries()], ([index, { nodeId, rack }]) => {
    out.int32(nodeId);
    writeAddress(out, moved[index] ?? "");
    if (version >= 1) out.nullableString(rack);
  });
  return Buffer.concat([frame.subarray(0, start), ...out.finish(), frame.subarray(input.position)]);
}

/** throttle_ms int32 (v1), error int16, error_message nullable_string (v1), node_id int32, host string, port int32 */
async function coordinator(frame: Buffer, version: number, readdress: Readdress): Promise<Buffer> {
  refuseFrom(flexibleFindCoordinator, version);
  const input = new WireReader(frame, false, correlationBytes + (version >= 1 ? 4 : 0));
  const error = input.int16();
  if (version >= 1) input.nullableString();
  input.int32();
  const start = input.position;
  const address = `${input.string()}:${input.int32()}`;
  if (error !== 0) return frame;
  const out = new WireWriter(false);
  writeAddress(out, await readdress(address));
  return Buffer.concat([frame.subarray(0, start), ...out.finish()]);
}

function writeAddress(out: WireWriter, address: string): void {
  const colon = address.lastIndexOf(":");
  out.string(address.slice(0, colon)).int32(Number(address.slice(colon + 1)));
}

function refuseFrom(flexible: number, version: number): void {
  if (version >= flexible) throw new RangeError(`version ${version} is not known here`);
}
