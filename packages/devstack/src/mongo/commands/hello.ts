import type { Command } from "../command.ts";
import { maxDocumentBytes } from "../collection.ts";
import { maxMessageBytes } from "../wire.ts";

/** MongoDB 7.0's; drivers refuse servers below 9. */
const maxWireVersion = 21;

/** `hello` and the older `ismaster`: a standalone server, so drivers accept `w: majority` and retry nothing. */
export const hello: Command = (command, { connectionId, nowMs }) => ({
  ...(!Object.hasOwn(command, "hello") && { ismaster: true }),
  isWritablePrimary: true,
  helloOk: true,
  maxBsonObjectSize: maxDocumentBytes,
  maxMessageSizeBytes: maxMessageBytes,
  maxWriteBatchSize: 100_000,
  localTime: new Date(nowMs()),
  logicalSessionTimeoutMinutes: 30,
  connectionId,
  minWireVersion: 0,
  maxWireVersion,
  readOnly: false,
  ok: 1,
});
