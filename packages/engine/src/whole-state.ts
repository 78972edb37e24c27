import type { Restorable } from "./stored-frames.ts";
import type { PayloadCodec } from "./ports.ts";
import { StateImage } from "./state-image.ts";

/** Largest state that is restored, so that a broken size cannot take all memory. */
const maxStateBytes = 4 * 2 ** 30;

/**
 * The state of a checkpoint in the version its header says, with its deltas applied.
 * @throws {StreamError} CHECKPOINT_UNREADABLE
 */
export async function wholeState(codec: PayloadCodec, checkpoint: Restorable): Promise<Uint8Array> {
  const [whole = checkpoint, ...between] = checkpoint.bases;
  const state = await content(codec, whole);
  if (checkpoint.bases.length === 0) return state;
  const image = StateImage.of(state);
  for (const delta of [...between, checkpoint]) image.apply(await content(codec, delta));
  return image.pack();
}

function content(
  codec: PayloadCodec,
  { header, payload }: Pick<Restorable, "header" | "payload">,
): Promise<Uint8Array> {
  return codec.decompress(payload, Math.min(header.stateBytes, maxStateBytes));
}
