import { decodeDocument, encodeDocument, type Document } from "./values.ts";

/** A request, whichever of the two message forms carried it. */
export type Request = {
  readonly requestId: number;
  readonly command: Document;
  /** False when the client said `moreToCome`: it will not read a reply. */
  readonly replyExpected: boolean;
  readonly form: "message" | "query";
};

/** Bound of one message, as `hello` announces it. */
export const maxMessageBytes = 48_000_000;

const headerBytes = 16;
const opReply = 1;
const opQuery = 2004;
const opMsg = 2013;
const checksumPresent = 1;
const moreToCome = 2;

/** Cuts a byte stream into messages. @throws Error when a length is out of bounds: the stream is lost */
export function createFramer(): (chunk: Buffer) => Buffer[] {
  let parts: Buffer[] = [];
  let pendingBytes = 0;
  return (chunk) => {
    parts.push(chunk);
    pendingBytes += chunk.length;
    const messages: Buffer[] = [];
    for (;;) {
      const lengthBytes = announcedLength(parts);
      if (lengthBytes === undefined || pendingBytes < lengthBytes) return messages;
      const joined = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
      messages.push(joined.subarray(0, lengthBytes));
      const rest = joined.subarray(lengthBytes);
      parts = rest.length === 0 ? [] : [rest];
      pendingBytes = rest.length;
    }
  };
}

function announcedLength(parts: Buffer[]): number | undefined {
  let [head] = parts;
  if (head === undefined) return undefined;
  if (head.length < 4 && parts.length > 1) {
    head = Buffer.concat(parts);
    parts.splice(0, parts.length, head);
  }
  if (head.length < 4) return undefined;
  const lengthBytes = head.readInt32LE(0);
  if (lengthBytes < headerBytes || lengthBytes > maxMessageBytes) {
    throw new Error(
      `message of ${lengthBytes} bytes is not between ${headerBytes} and ${maxMessageBytes}`,
    );
  }
  return lengthBytes;
}

/** Reads a whole message. @throws Error when it is neither OP_MSG nor OP_QUERY, or cut short */
export function parseRequest(message: Buffer): Request {
  const requestId = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  if (opCode === opMsg) {
    const flags = message.readUInt32LE(headerBytes);
    // The checksum is left unread: loopback TCP has its own.
    const end = message.length - (flags & checksumPresent ? 4 : 0);
    const command = parseSections(message.subarray(headerBytes + 4, end));
    return { requestId, command, replyExpected: (flags & moreToCome) === 0, form: "message" };
  }
  if (opCode === opQuery) {
    // flags int32, collection cstring, skip int32, limit int32, query document
    const documentAt = message.indexOf(0, headerBytes + 4) + 1 + 8;
    const query = decodeDocument(documentBytes(message, documentAt));
    const inner = query["$query"];
    const command = typeof inner === "object" && inner !== null ? { ...inner } : query;
    return { requestId, command, replyExpected: true, form: "query" };
  }
  throw new Error(`op code ${opCode} is not supported`);
}

/** Kind 0 is the command itself, kind 1 a named list of documents that belongs into it. */
function parseSections(bytes: Buffer): Document {
  let body: Document = {};
  const sequences: Record<string, Document[]> = {};
  let at = 0;
  while (at < bytes.length) {
    const kind = bytes.readUInt8(at);
    at += 1;
    const section = documentBytes(bytes, at);
    at += section.length;
    if (kind === 0) {
      body = decodeDocument(section);
    } else if (kind === 1) {
      const nameEnd = section.indexOf(0, 4);
      sequences[section.toString("utf8", 4, nameEnd)] = parseSequence(
        section.subarray(nameEnd + 1),
      );
    } else {
      throw new Error(`section kind ${kind} is not supported`);
    }
  }
  return { ...body, ...sequences };
}

function parseSequence(bytes: Buffer): Document[] {
  const documents: Document[] = [];
  for (let at = 0; at < bytes.length;) {
    const document = documentBytes(bytes, at);
    documents.push(decodeDocument(document));
    at += document.length;
  }
  return documents;
}

/** The length-prefixed bytes at a position. */
function documentBytes(bytes: Buffer, at: number): Buffer {
  const lengthBytes = bytes.readInt32LE(at);
  if (lengthBytes < 5 || at + lengthBytes > bytes.length) {
    throw new Error(
      `document of ${lengthBytes} bytes at ${at} leaves a message of ${bytes.length}`,
    );
  }
  return bytes.subarray(at, at + lengthBytes);
}

/** Encodes the reply to a request in the form it came. */
export function encodeReply(request: Request, reply: Document): Buffer {
  const body = encodeDocument(reply);
  const prefix = request.form === "message" ? Buffer.alloc(5) : replyPrefix();
  const header = Buffer.alloc(headerBytes);
  header.writeInt32LE(headerBytes + prefix.length + body.length, 0);
  header.writeInt32LE(request.requestId, 8);
  header.writeInt32LE(request.form === "message" ? opMsg : opReply, 12);
  return Buffer.concat([header, prefix, body]);
}

/** flags int32 (8: await capable), cursor id int64, starting from int32, number returned int32 */
function replyPrefix(): Buffer {
  const prefix = Buffer.alloc(20);
  prefix.writeInt32LE(8, 0);
  prefix.writeInt32LE(1, 16);
  return prefix;
}
