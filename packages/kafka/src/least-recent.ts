/** A map of at most `capacity` entries: the one that was not used for longest goes first. */
export type LeastRecent<K, V> = {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
};

export function leastRecent<K, V>(capacity: number): LeastRecent<K, V> {
  const entries = new Map<K, V>(); // In order of use: a Map keeps the order of insertion.
  return {
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      for (const oldest of entries.keys()) {
        if (entries.size <= capacity) break;
        entries.delete(oldest);
      }
    },
  };
}
