import type { KeyDictionary } from "./key-dictionary.ts";
import type { Pane } from "./pane.ts";
import type { EpochMs } from "./window.ts";

/** Below this many keys reclaiming is not worth a renumbering. */
const reclaimFromKeys = 1024;

/**
 * Forgets keys without an open pane once they are more than half: memory follows the open windows, not history. Where no
 * key may be added any more it makes room as soon as there is any. Called when a pane expires, so by the log alone.
 */
export function reclaimKeys(
  keys: KeyDictionary,
  panes: ReadonlyMap<EpochMs, Pane>,
  maxKeys = Infinity,
): void {
  const { count } = keys;
  const full = count >= maxKeys;
  if (count < reclaimFromKeys && !full) return;
  const live = new Uint8Array(count);
  let liveCount = 0;
  for (const pane of panes.values()) {
    for (let index = 0; index < pane.count; index++) {
      const key = pane.keys[index] ?? 0;
      if (live[key] === 0) liveCount++;
      live[key] = 1;
    }
  }
  if (full ? liveCount === count : liveCount * 2 > count) return;
  const renumbered = keys.retain(live);
  for (const pane of panes.values()) pane.renumber(renumbered, keys.count);
}
