/** Lets so many bytes through when it is their turn; rejects with the signal's reason. */
export interface DownloadPace {
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** Holds a transfer back that nobody waits for, until somebody does. */
export class HoldBack {
  readonly #pace: DownloadPace;
  readonly #haste = new AbortController();
  /** What ends a wait, by what ends the transfer: it is always the same. */
  #ends: { readonly signal: AbortSignal; readonly either: AbortSignal } | undefined;

  constructor(pace: DownloadPace) {
    this.#pace = pace;
  }

  /** From now on nothing is held back. */
  release(): void {
    this.#haste.abort();
  }

  /** Settles when the transfer may go on; rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const haste = this.#haste.signal;
    if (haste.aborted) return;
    if (this.#ends?.signal !== signal) {
      this.#ends = { signal, either: AbortSignal.any([haste, signal]) };
    }
    const turn = this.#pace.take(bytes, this.#ends.either);
    await turn.catch(() => signal.throwIfAborted());
  }
}
