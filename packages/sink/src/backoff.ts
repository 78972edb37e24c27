/** Exponential from `firstMs` to `maxMs`, each wait a random half to whole of its step so that peers spread out. */
export function backoffMs(
  attempt: number,
  bounds: { readonly firstMs: number; readonly maxMs: number },
  random: () => number,
): number {
  const stepMs = Math.min(bounds.maxMs, bounds.firstMs * 2 ** Math.min(attempt, 30));
  return stepMs * (0.5 + random() / 2);
}

/** While a server is away (protocol 2.6). */
export const outageBackoff = { firstMs: 1_000, maxMs: 60_000 } as const;

/** While another writer keeps changing the same documents. */
export const raceBackoff = { firstMs: 5, maxMs: 1_000 } as const;
