import {
  type CheckpointHeader,
  type ClaimHeader,
  codeVersion,
  stateSchemaVersion,
} from "../../src/checkpoint.ts";

/** A checkpoint with a plain header; `parts` replace what matters to the test. */
export function checkpointFrame(
  seq: number,
  parts: Partial<CheckpointHeader> = {},
  payload: Uint8Array = new Uint8Array(0),
): { header: CheckpointHeader; payload: Uint8Array } {
  const header: CheckpointHeader = {
    kind: "checkpoint",
    job: "test",
    partition: 0,
    seq,
    writer: { instance: "one", nonce: `nonce ${seq}`, at: new Date(seq * 1_000).toISOString() },
    jobEpoch: 0,
    topology: "topology",
    stateSchemaVersion,
    codeVersion,
    log: {
      clusterId: "cluster",
      topic: "events",
      partitions: 1,
      nextOffset: 5,
      canary: { offset: 4, recordTime: 3, crc: 2 },
    },
    watermark: 1_000,
    counts: { in: 5, late: 1, dead: 0, duplicates: 0 },
    decisions: [],
    stateBytes: payload.length,
    ...parts,
  };
  return { header, payload };
}

export function claimFrame(
  seq: number,
  base: number,
  parts: Partial<ClaimHeader> = {},
): { header: ClaimHeader; payload: Uint8Array } {
  const writer = {
    instance: "one",
    nonce: `nonce ${seq}`,
    at: new Date(seq * 1_000).toISOString(),
  };
  const header: ClaimHeader = {
    kind: "claim",
    job: "test",
    partition: 0,
    seq,
    base,
    writer,
    ...parts,
  };
  return { header, payload: new Uint8Array(0) };
}
