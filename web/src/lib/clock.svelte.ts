// The one ticking clock of the page, corrected by what the server says the time is.

const STEP_MS = 1000;

class Clock {
  /** Milliseconds since the epoch, as the server counts them, changing each second. */
  now = $state(Date.now());
  #ahead = 0;

  constructor() {
    setInterval(() => this.#tick(), STEP_MS);
  }

  /** The server said it is `at`: a laptop with a wrong clock still counts down right. */
  heard(at: string | undefined): void {
    const time = at === undefined ? Number.NaN : Date.parse(at);
    if (!Number.isFinite(time)) return;
    this.#ahead = time - Date.now();
    this.#tick();
  }

  /** A moment of this machine's clock, as the server counts it. */
  of(moment: number): number {
    return moment + this.#ahead;
  }

  #tick(): void {
    this.now = this.of(Date.now());
  }
}

export const time = new Clock();

/** The zone of this machine, and of the contract; which of them leads is the reader's choice. */
class Zones {
  mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  contract = $state<string | null>(null);
  contractLeads = $state(false);

  get lead(): string {
    return this.contractLeads && this.contract !== null ? this.contract : this.mine;
  }
}

export const zones = new Zones();
