// The live room: one event stream, folded. It says plainly whether what is shown is live, and since when not.

import { time } from '../clock.svelte.ts';
import { act, Problem, read } from '../wire/api.ts';
import { parse } from '../wire/parse.ts';
import type { FeedLine, Me, RunPatch, RunView, Seat } from '../wire/types.ts';
import { heard, NO_OUTPUT, patched, told, type Output } from './fold.ts';

/** How often this page says that somebody looks at it; a seat lasts three of these. */
const SEAT_MS = 2_000;
/** How long the stream may be behind what a seat's answer says before it counts as dead. */
const BEHIND_MS = 5_000;
/** Waiting before a stream that was refused is tried again. */
const AGAIN_MS = 2_000;

export type Connection = { is: 'off' | 'connecting' | 'live' } | { is: 'lost'; since: number };

interface Hello {
  seq: number;
  version?: string;
  at?: string;
}

class Room {
  me = $state.raw<Me | null>(null);
  run = $state.raw<RunView | null>(null);
  lines = $state.raw<readonly FeedLine[]>([]);
  outputs = $state.raw<Readonly<Record<string, Output>>>({});
  connection = $state.raw<Connection>({ is: 'off' });
  problem = $state.raw<Problem | null>(null);
  /** Counts the server's "read the handoff again". */
  handoffTurn = $state(0);
  /** The server speaks of another version of itself: a reload brings its page. */
  newer = $state(false);

  #version: string | null = null;
  #stream: EventSource | null = null;
  #asked: string | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #behindSince: number | null = null;
  #waiting: RunPatch[] = [];
  #reading: Promise<void> = Promise.resolve();

  constructor() {
    setInterval(() => void this.#seat(), SEAT_MS);
    addEventListener('offline', () => this.#lost());
    addEventListener('online', () => this.#reopen());
    addEventListener('pagehide', () => this.#stream?.close());
    document.addEventListener('visibilitychange', () => void this.#seat());
  }

  /** Watches `run`, or only the handoff where there is none. */
  watch(run: string | null): void {
    if (this.#stream !== null && this.#asked === run) return;
    if (this.#asked !== run) {
      this.run = null;
      this.lines = [];
      this.outputs = {};
    }
    this.#asked = run;
    // Read beside the opening of the stream, not after it; `hello` tells whether something fell between.
    void this.refresh();
    this.#open();
  }

  /** Reads the run and its timeline anew; what arrives meanwhile is folded after. */
  refresh(): Promise<void> {
    this.#reading = this.#read();
    return this.#reading;
  }

  async #read(): Promise<void> {
    const asked = this.#asked;
    if (asked === null) return;
    try {
      const run = await read.run(asked);
      if (this.#asked !== asked) return;
      time.heard(run.at);
      this.run = this.#waiting.reduce(patched, run);
      this.#waiting = [];
      this.problem = null;
      if (this.lines.length === 0) await this.#story(asked);
    } catch (why) {
      if (why instanceof Problem) this.problem = why;
      else throw why;
    }
  }

  /** Follows the output of one attempt from its beginning. */
  async follow(attempt: string): Promise<void> {
    let output = this.outputs[attempt] ?? NO_OUTPUT;
    for (let more = true; more; ) {
      const piece = await read.output(attempt, output.next);
      const next = heard(output, output.next, piece.text, piece.next);
      if (next === 'gap') return;
      more = !piece.complete && piece.next > output.next;
      output = { ...next, complete: piece.complete };
      this.outputs = { ...this.outputs, [attempt]: output };
    }
  }

  async #story(run: string): Promise<void> {
    for await (const page of read.timeline(run)) {
      if (this.#asked !== run) return;
      this.lines = page.reduce(told, this.lines);
    }
  }

  #open(): void {
    clearTimeout(this.#again);
    this.#stream?.close();
    if (this.connection.is !== 'lost') this.connection = { is: 'connecting' };
    const query = this.#asked === null ? '' : `?run=${encodeURIComponent(this.#asked)}`;
    const stream = new EventSource(`/api/live${query}`);
    this.#stream = stream;
    const on = <T>(name: string, take: (value: T) => void) =>
      stream.addEventListener(name, (event) => take(parse<T>((event as MessageEvent<string>).data)));
    stream.addEventListener('open', () => {
      const again = this.connection.is === 'lost';
      this.connection = { is: 'live' };
      this.#behindSince = null;
      if (!again) return;
      this.handoffTurn += 1;
      void this.refresh();
    });
    stream.addEventListener('error', () => {
      this.#lost();
      // The browser tries again by itself unless the answer was a refusal.
      if (stream.readyState === EventSource.CLOSED) this.#later();
    });
    on<Hello>('hello', (hello) => void this.#hello(hello));
    on<FeedLine>('feed', (line) => (this.lines = told(this.lines, line)));
    on<RunPatch>('run', (patch) => this.#patch(patch));
    on<{ people: Seat[] } | Seat[]>('seats', (seats) => {
      const people = Array.isArray(seats) ? seats : seats.people;
      if (this.run !== null) this.run = { ...this.run, people };
    });
    on<{ attempt: string; from: number; text: string }>('output', (piece) => this.#heard(piece));
    on('handoff', () => (this.handoffTurn += 1));
  }

  #patch(patch: RunPatch): void {
    if (this.run === null) this.#waiting.push(patch);
    else this.run = patched(this.run, patch);
  }

  async #hello(hello: Hello): Promise<void> {
    time.heard(hello.at);
    const version = hello.version ?? null;
    if (this.#version !== null && version !== null && version !== this.#version) this.newer = true;
    this.#version ??= version;
    await this.#reading;
    if (this.run !== null && hello.seq > this.run.seq) await this.refresh();
  }

  #heard(piece: { attempt: string; from: number; text: string }): void {
    const known = this.outputs[piece.attempt];
    if (known === undefined) return;
    const next = heard(known, piece.from, piece.text, piece.from + new TextEncoder().encode(piece.text).length);
    if (next === 'gap') void this.follow(piece.attempt).catch(() => undefined);
    else this.outputs = { ...this.outputs, [piece.attempt]: next };
  }

  #lost(): void {
    if (this.connection.is !== 'lost') this.connection = { is: 'lost', since: time.now };
  }

  #later(): void {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#open(), AGAIN_MS);
  }

  #reopen(): void {
    if (this.#stream !== null) this.#open();
  }

  /** Says that somebody looks at this page, and learns whether the stream keeps up. */
  async #seat(): Promise<void> {
    if (this.me?.handle == null || this.#stream === null) return;
    try {
      const seat = await act.seat(document.visibilityState === 'visible', location.pathname);
      time.heard(seat?.at);
      this.#keepsUp(seat?.seq);
    } catch (why) {
      if (why instanceof Problem && why.status === 0) this.#lost();
    }
  }

  #keepsUp(seq: number | undefined): void {
    const known = Math.max(this.run?.seq ?? 0, this.lines.at(-1)?.seq ?? 0);
    if (seq === undefined || this.run === null || this.run.ended !== null || known >= seq) {
      this.#behindSince = null;
      return;
    }
    this.#behindSince ??= Date.now();
    if (Date.now() - this.#behindSince > BEHIND_MS) {
      this.#behindSince = null;
      this.#open();
    }
  }
}

export const room = new Room();
