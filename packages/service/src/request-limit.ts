/** Addresses remembered at once: a flood from many of them must not fill the memory. */
const maxAddresses = 10_000;

/**
 * Lets each address through `perSecond` times a second, and as often at once after a quiet second (a token bucket).
 *
 * @returns a function that says whether a request of `address` at `nowMs` (monotonic) is let through
 */
export function requestLimit(perSecond: number): (address: string, nowMs: number) => boolean {
  /** In order of their last request, oldest first. */
  const buckets = new Map<string, { tokens: number; filledAtMs: number }>();
  return (address, nowMs) => {
    const { tokens, filledAtMs } = buckets.get(address) ?? { tokens: perSecond, filledAtMs: nowMs };
    const filled = Math.min(perSecond, tokens + ((nowMs - filledAtMs) * perSecond) / 1_000);
    const allowed = filled >= 1;
    buckets.delete(address);
    buckets.set(address, { tokens: allowed ? filled - 1 : filled, filledAtMs: nowMs });
    if (buckets.size > maxAddresses) buckets.delete(buckets.keys().next().value ?? address);
    return allowed;
  };
}
