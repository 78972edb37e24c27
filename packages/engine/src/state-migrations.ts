import { contradiction } from "./byte-layout.ts";
import { stateSchemaVersion } from "./checkpoint.ts";
import { StreamError } from "./errors.ts";

/** State bytes of one version -> those of the next. Pure; what it says is tested on checkpoints that the old code wrote. */
type Migration = (state: Uint8Array) => Uint8Array;

/** The first takes version 1 to 2, and so on. A stored version never changes, so neither does its migration. */
const migrations: readonly Migration[] = [addDuplicates];

/** Whether this code goes on from state of that version. */
export function migratable(version: number): boolean {
  return Number.isInteger(version) && version >= 1 && version <= stateSchemaVersion;
}

/**
 * State of any earlier version as this code writes it; the same bytes when they are of this version already.
 * @throws {StreamError} STATE_INCOMPATIBLE for a version that this code does not know, CHECKPOINT_UNREADABLE for bytes
 *   that are not of their version
 */
export function migrateState(version: number, state: Uint8Array): Uint8Array {
  if (!migratable(version)) {
    const text = `state version ${version} cannot be read, this code knows 1 to ${stateSchemaVersion}; run the code that wrote it`;
    throw new StreamError("STATE_INCOMPATIBLE", "stop", text);
  }
  return migrations.slice(version - 1).reduce((bytes, migrate) => migrate(bytes), state);
}

const lengthBytes = 8;
const numberBytes = 8;
const scalarsBefore = 8 * numberBytes;

/**
 * Version 2 counts duplicates behind the 8 scalars of the task, its first column, and remembers event ids in three
 * columns at the end: both are none.
 *
 *     v1: f64 length 64 | 8 scalars |             other columns
 *     v2: f64 length 72 | 8 scalars | duplicates | other columns | f64 0 | f64 0 | f64 0
 */
function addDuplicates(state: Uint8Array): Uint8Array {
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  const sound = state.length >= lengthBytes + scalarsBefore;
  if (!sound || view.getFloat64(0, true) !== scalarsBefore) throw contradiction("its version");
  const head = lengthBytes + scalarsBefore;
  const migrated = new Uint8Array(state.length + numberBytes + 3 * lengthBytes);
  migrated.set(state.subarray(0, head));
  migrated.set(state.subarray(head), head + numberBytes);
  new DataView(migrated.buffer).setFloat64(0, scalarsBefore + numberBytes, true);
  return migrated;
}
