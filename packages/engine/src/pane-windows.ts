import type { Pane } from "./pane.ts";
import { type EpochMs, newestWindowStart, type SlidingWindow } from "./window.ts";

/** Starts of the windows with a pane that `holds` and with a `wanted` end, oldest first. */
export function windowsOf(
  panes: Iterable<Pane>,
  window: SlidingWindow,
  holds: (pane: Pane) => boolean,
  wanted: (end: EpochMs) => boolean,
): EpochMs[] {
  const { sizeMs, slideMs } = window;
  const starts = new Set<EpochMs>();
  for (const pane of panes) {
    if (!holds(pane)) continue;
    let start = newestWindowStart(pane.start, window);
    for (; start + sizeMs > pane.start; start -= slideMs) {
      if (wanted(start + sizeMs)) starts.add(start);
    }
  }
  return [...starts].sort((a, b) => a - b);
}

export function isFilled(pane: Pane): boolean {
  return pane.count > 0;
}

export function isTouched(pane: Pane): boolean {
  return pane.touchedCount > 0;
}
