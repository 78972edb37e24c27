/** How long a partition is proven to hold nothing new: from the first proof of its log end to the latest one. */
export class Quiet {
  #since: number | undefined;
  #until = 0;

  /** A fetch found nothing behind the last record. */
  proven(nowMs: number): void {
    this.#since ??= nowMs;
    this.#until = nowMs;
  }

  /** A record came. */
  ended(): void {
    this.#since = undefined;
  }

  /** undefined without any proof. */
  get ms(): number | undefined {
    return this.#since === undefined ? undefined : this.#until - this.#since;
  }
}
