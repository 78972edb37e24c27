/** Holds all traffic while it is shut. */
export class Gate {
  #shut: { readonly opened: Promise<void>; readonly open: () => void } | undefined;

  shut(): void {
    if (this.#shut !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#shut = { opened: promise, open: resolve };
  }

  open(): void {
    this.#shut?.open();
    this.#shut = undefined;
  }

  /** Undefined while the gate is open, so that nobody pays a turn of the event loop for it. */
  opened(): Promise<void> | undefined {
    return this.#shut?.opened;
  }
}
