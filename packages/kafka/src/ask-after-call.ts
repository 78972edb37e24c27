/**
 * Shares answers among callers without giving anyone an answer to a question that was asked before the call: who calls
 * while one is being answered waits for the next, with all others who do.
 *
 * @returns rejects as `ask` does
 */
export function askAfterCall<T>(ask: () => Promise<T>): () => Promise<T> {
  let latest: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    next = undefined;
    return ask();
  };
  return () => {
    if (next === undefined) {
      next = latest.then(begin, begin);
      latest = next;
    }
    return next;
  };
}
