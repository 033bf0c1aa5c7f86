// One event stream, kept open: it is opened again after a break, from where it was, and a silence counts as a break.

import { Problem, problemOf } from '../wire/api.ts';
import { Frames, type Frame } from './sse.ts';

/** The server says something at least each 10 s. */
const SILENCE_MS = 12_000;
/** The waits before the first tries to open it again; the last of them before each further one. */
const AGAIN_MS = [500, 1_000, 2_000, 4_000];

export interface Listener {
  /** It is open; `again` when it was before. `from` is the last place heard of. */
  opened(again: boolean, from: string | null): void;
  heard(frame: Frame): void;
  /** It broke; `heard` is when something last came, `why` a refusal. */
  lost(heard: number, why: Problem | null): void;
}

export class Stream {
  #turn = 0;
  #stop: AbortController | null = null;
  #wake: (() => void) | null = null;
  #last: string | null = null;
  #heard = Date.now();
  #open = false;

  constructor(
    readonly path: string,
    readonly to: Listener,
  ) {
    void this.#keep(this.#turn);
  }

  /** Ends it for good. */
  close(): void {
    this.#turn += 1;
    this.#stop?.abort();
    this.#wake?.();
  }

  /** Tries at once where it waits to try again. */
  now(): void {
    this.#wake?.();
  }

  /** Breaks it where it is open, so that it is opened anew. */
  cut(): void {
    this.#stop?.abort();
  }

  async #keep(turn: number): Promise<void> {
    const silence = setInterval(() => {
      if (this.#open && Date.now() - this.#heard > SILENCE_MS) this.cut();
    }, 1_000);
    let before = false;
    for (let tries = 0; turn === this.#turn; tries += 1) {
      const why = await this.#once(turn, before).catch((why: unknown) => why);
      if (turn !== this.#turn) break;
      if (this.#open) {
        before = true;
        tries = 0;
      }
      this.#open = false;
      this.to.lost(this.#heard, why instanceof Problem ? why : null);
      await this.#pause(AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] as number);
    }
    clearInterval(silence);
  }

  /** One opening; it returns or throws when the stream is over. */
  async #once(turn: number, again: boolean): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (this.#last !== null) headers['last-event-id'] = this.#last;
    const opening = setTimeout(() => stop.abort(), SILENCE_MS);
    const answer = await fetch(this.path, { headers, cache: 'no-store', signal: stop.signal }).finally(() => clearTimeout(opening));
    if (!answer.ok || answer.body === null) throw problemOf({ status: answer.status, text: await answer.text() });
    if (turn !== this.#turn) return;
    this.#open = true;
    this.#heard = Date.now();
    this.to.opened(again, this.#last);
    const frames = new Frames();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || turn !== this.#turn) return;
      this.#heard = Date.now();
      for (const frame of frames.push(value)) {
        this.#last = frame.id ?? this.#last;
        this.to.heard(frame);
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
