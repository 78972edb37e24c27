import type { AvroType } from "./avro-schema.ts";
import {
  fail,
  lengthOutOfBounds,
  malformed,
  readLength,
  readVarlong,
  skipBytes,
  skipVarint,
  type ByteCursor,
} from "./byte-cursor.ts";

/** Moves the cursor behind one value, or makes it fail. Takes time in proportion to the bytes left, at most. */
export type Skipper = (cursor: ByteCursor) => void;

/** Containers within containers; deep enough for people's lists and trees, far from the end of the stack. */
const maxDepth = 1000;

/** Composes the skipper of each type once, so that types which contain themselves end. */
export function createSkippers(): (type: AvroType) => Skipper {
  const composed = new Map<AvroType, Skipper>();
  const takesNoBytes = createSizeTest();
  const compose = (type: AvroType): Skipper => {
    const known = composed.get(type);
    if (known !== undefined) return known;
    // Types within `type` that refer back to it find this one, which is complete by the time it runs.
    let complete: Skipper = skipNothing;
    composed.set(type, (cursor) => complete(cursor));
    complete = takesNoBytes(type) ? skipNothing : skipperOf(type, compose);
    composed.set(type, complete);
    return complete;
  };
  return compose;
}

function skipperOf(type: AvroType, compose: (type: AvroType) => Skipper): Skipper {
  switch (type.kind) {
    case "null":
      return skipNothing;
    case "boolean":
      return skipExactly(1);
    case "int":
    case "long":
    case "enum":
      return skipVarint;
    case "float":
      return skipExactly(4);
    case "double":
      return skipExactly(8);
    case "fixed":
      return skipExactly(type.sizeBytes);
    case "bytes":
    case "string":
      return skipPrefixed;
    case "array":
      return skipBlocks(compose(type.items));
    case "map":
      return skipBlocks(skipEntry(compose(type.items)));
    case "union":
      return skipUnion(type.branches.map(compose));
    default:
      return skipAll(type.fields.map((field) => compose(field.type)));
  }
}

function skipNothing(): void {}

function skipExactly(length: number): Skipper {
  return (cursor) => skipBytes(cursor, length);
}

function skipPrefixed(cursor: ByteCursor): void {
  const lengthBytes = readLength(cursor);
  cursor.position += lengthBytes;
}

function skipEntry(skipValue: Skipper): Skipper {
  return (cursor) => {
    skipPrefixed(cursor);
    skipValue(cursor);
  };
}

/** Not counted in the depth: a union holds no other one, but may hold a record, which is. */
function skipUnion(branches: readonly Skipper[]): Skipper {
  return (cursor) => {
    const branch = branches[readVarlong(cursor)];
    if (branch === undefined) fail(cursor, malformed);
    else branch(cursor);
  };
}

function skipAll(fields: readonly Skipper[]): Skipper {
  return nested((cursor) => {
    for (const skip of fields) {
      // Records of records of records multiply: without bytes there is nothing to walk.
      if (cursor.fault !== 0) return;
      skip(cursor);
    }
  });
}

/**
 * Arrays and maps: blocks of `count` items up to a block of none. A negative count is followed by the size of the
 * block. Items that take no bytes are not walked: five bytes may announce billions of them.
 */
function skipBlocks(skipItem: Skipper): Skipper {
  return nested((cursor) => {
    for (;;) {
      const count = readVarlong(cursor);
      if (count === 0) return;
      if (count < 0) skipPrefixed(cursor);
      else if (skipItem !== skipNothing) skipItems(cursor, skipItem, count);
    }
  });
}

function skipItems(cursor: ByteCursor, skipItem: Skipper, count: number): void {
  if (count > cursor.end - cursor.position) {
    fail(cursor, lengthOutOfBounds);
    return;
  }
  for (let item = 0; item < count && cursor.fault === 0; item++) skipItem(cursor);
}

function nested(skip: Skipper): Skipper {
  return (cursor) => {
    if (cursor.depth >= maxDepth) {
      fail(cursor, malformed);
      return;
    }
    cursor.depth++;
    skip(cursor);
    cursor.depth--;
  };
}

/** Tells types whose values all take no bytes: null, empty fixed, records of such. Each type is judged once. */
function createSizeTest(): (type: AvroType) => boolean {
  const judged = new Map<AvroType, boolean>();
  const takesNoBytes = (type: AvroType): boolean => {
    if (type.kind === "null") return true;
    if (type.kind === "fixed") return type.sizeBytes === 0;
    if (type.kind !== "record") return false;
    const known = judged.get(type);
    if (known !== undefined) return known;
    // Holds for a record that directly contains itself: reading one runs into the depth bound.
    judged.set(type, false);
    const empty = type.fields.every((field) => takesNoBytes(field.type));
    judged.set(type, empty);
    return empty;
  };
  return takesNoBytes;
}
