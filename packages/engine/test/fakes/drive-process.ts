import type { FakeProcess } from "./fake-process.ts";
import { settle } from "./virtual-clock.ts";

/** The group gives these partitions to a process, and it takes over what needs no time. */
export async function assign(process: FakeProcess, ...partitions: number[]): Promise<void> {
  process.source.assign(...partitions);
  await settle();
}

/** Seconds pass for the world of these processes, with a fetch of each in every one. */
export async function live(
  seconds: number,
  process: FakeProcess,
  ...others: FakeProcess[]
): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    for (const one of [process, ...others]) one.source.deliver();
    await process.world.clock.advance(1_000);
  }
}

/** Something to wait for until the test opens it. */
export function gate(): { readonly wait: () => Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { wait: () => promise, open: resolve };
}
