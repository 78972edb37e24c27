const produceKey = 0;
const opMsg = 2013;
/** Message header, flag bits and the kind of the first section; the command's name is the first field of its document. */
const documentAt = 16 + 4 + 1;
const updateField = Buffer.from("\u0002update\0", "latin1");

/** Whether these bytes are a Produce request to Kafka: length, API key. */
export function producesRecords(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getInt32(0) === bytes.length - 4 && view.getInt16(4) === produceKey;
}

/** Whether these bytes are an `update` command to MongoDB: the whole message, in one OP_MSG. */
export function updatesDocuments(bytes: Uint8Array): boolean {
  if (bytes.length < documentAt + 4 + updateField.length) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getInt32(0, true) !== bytes.length || view.getInt32(12, true) !== opMsg) return false;
  const field = bytes.subarray(documentAt + 4, documentAt + 4 + updateField.length);
  return updateField.equals(field);
}
