// One reading of the server, in its three states: loading, failed, there. Read again, it keeps what it had.

import { Problem } from '../wire/api.ts';

export class Ask<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  busy = $state(false);
  #turn = 0;

  constructor(readonly from: () => Promise<T>) {}

  async read(): Promise<void> {
    const turn = ++this.#turn;
    this.busy = true;
    try {
      const value = await this.from();
      if (turn !== this.#turn) return;
      this.value = value;
      this.problem = null;
    } catch (why) {
      if (turn !== this.#turn) return;
      if (!(why instanceof Problem)) throw why;
      this.problem = why;
    } finally {
      if (turn === this.#turn) this.busy = false;
    }
  }
}

/** One thing a person does: busy while it is on its way, and what was refused. */
export class Deed {
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);

  /** Whether it was done. */
  async try(deed: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = null;
    try {
      await deed();
      return true;
    } catch (why) {
      if (!(why instanceof Problem)) throw why;
      this.problem = why;
      return false;
    } finally {
      this.busy = false;
    }
  }
}
