// Every request the page makes. A refusal arrives as a `Problem` with the server's own words.

import type {
  FeedLine,
  HandoffRow,
  HandoffView,
  History,
  Me,
  Parity,
  Piece,
  PlanView,
  ReviewView,
  Runs,
  RunView,
  SeatTaken,
  Sent,
  StatusView,
} from './types.ts';
import { parse } from './parse.ts';

/** How long an answer may take before the network counts as broken. */
const ANSWER_MS = 10_000;
/** The waits before a write whose answer did not come is sent again. */
const AGAIN_MS = [400, 1_200, 3_000];

/** A refusal (RFC 9457): what was refused, why, and what would make it pass. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly code: string,
    readonly hints: readonly string[],
  ) {
    super(detail === '' ? title : detail);
  }

  /** Nobody is signed in here. */
  get out(): boolean {
    return this.status === 401;
  }
}

/** A network that answers nothing is a problem with status 0. */
function unreachable(wrote: boolean): Problem {
  const detail = wrote
    ? 'Baton does not answer, so nobody knows whether this arrived. Press it again when the page is live: it counts once.'
    : 'Baton does not answer. The run itself goes on without this page.';
  return new Problem(0, 'Baton does not answer', detail, 'room.unreachable', [
    'see whether the machine that runs Baton is up',
    'from a terminal there, `baton status` answers the same',
  ]);
}

/** A word nobody else has. `crypto.randomUUID` is not there on plain http, but for localhost. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The keys of writes whose answer never came: sent again, even by another press, such a write is still the same one. */
const unsettled = new Map<string, string>();

/** What was written is known again: whoever presses now means what they see, and not what they pressed before. */
export function settled(): void {
  unsettled.clear();
}

/** What came back, read to its end. */
export interface Answer {
  status: number;
  text: string;
}

function parsed<T>(text: string): T | null {
  try {
    return parse<T>(text);
  } catch {
    return null;
  }
}

/** The refusal that `answer` carries, in the server's words. */
export function problemOf({ status, text: said }: Answer): Problem {
  const body = parsed<Record<string, unknown>>(said) ?? {};
  const text = (key: string) => (typeof body[key] === 'string' ? body[key] : '');
  const hints = Array.isArray(body['hints']) ? body['hints'].filter((hint) => typeof hint === 'string') : [];
  return new Problem(status, text('title') || `Refused (${status})`, text('detail'), text('code'), hints);
}

/** The answer, or null where none came: the network broke, or what stands before the server cannot reach it. */
async function once(path: string, init: RequestInit): Promise<Answer | null> {
  try {
    const answer = await fetch(path, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });
    const text = await answer.text();
    return answer.status === 502 || answer.status === 504 ? null : { status: answer.status, text };
  } catch {
    return null;
  }
}

function taken<T>(answer: Answer): T {
  if (answer.status >= 400) throw problemOf(answer);
  if (answer.text === '') return undefined as T;
  const value = parsed<T>(answer.text);
  if (value === null) throw new Problem(answer.status, 'What answers here is not Baton', 'Something between this browser and Baton answers in its place.', 'room.strange', []);
  return value;
}

async function get<T>(path: string): Promise<T> {
  const answer = await once(path, { headers: { accept: 'application/json' } });
  if (answer === null) throw unreachable(false);
  return taken<T>(answer);
}

/** Writes once, however often it has to be sent. */
async function write<T>(method: 'POST' | 'DELETE', path: string, body: unknown = {}): Promise<T> {
  const text = JSON.stringify(body);
  const same = `${method} ${path} ${text}`;
  const key = unsettled.get(same) ?? freshKey();
  unsettled.set(same, key);
  let open: Problem | null = null;
  for (const wait of [0, ...AGAIN_MS]) {
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const answer = await sent(method, path, text, key);
    if (answer === null) continue;
    open = answer.status < 400 ? null : problemOf(answer);
    if (open !== null && isOpen(open)) continue;
    unsettled.delete(same);
    if (open !== null) throw open;
    return taken<T>(answer);
  }
  throw open ?? unreachable(true);
}

/** Whether the same write may still be done: the server could not now, or is about to do what was sent before. */
function isOpen(problem: Problem): boolean {
  return problem.status === 503 || problem.code === 'room.repeated';
}

/** Writes what is soon said anew by itself: a lost one is not sent again, and each is one of its own. */
async function hint<T>(method: 'POST' | 'DELETE', path: string, body: unknown = {}): Promise<T> {
  const answer = await sent(method, path, JSON.stringify(body), null);
  if (answer === null) throw unreachable(false);
  return taken<T>(answer);
}

function sent(method: 'POST' | 'DELETE', path: string, body: string, key: string | null): Promise<Answer | null> {
  const headers: Record<string, string> = { accept: 'application/json', 'content-type': 'application/json' };
  if (key !== null) headers['idempotency-key'] = key;
  return once(path, { method, headers, body });
}

const post = (path: string, body?: unknown) => write<unknown>('POST', path, body);
const id = encodeURIComponent;

export const read = {
  me: () => get<Me>('/api/me'),
  handoffs: () => get<{ handoffs: HandoffRow[] }>('/api/handoffs'),
  handoff: () => get<HandoffView>('/api/handoff'),
  history: () => get<History>('/api/handoff/history'),
  parity: () => get<Parity>('/api/parity'),
  plan: (run?: string) => get<PlanView>(run === undefined ? '/api/plan' : `/api/plan?run=${id(run)}`),
  run: (run: string) => get<RunView>(`/api/runs/${id(run)}`),
  /** The runs of this ledger, the latest first. */
  runs: () => get<Runs>('/api/runs'),
  /** All that happened behind a place in the ledger, page by page. */
  async *timeline(run: string, after = 0): AsyncGenerator<FeedLine[]> {
    let cursor: string | null = after === 0 ? '' : String(after);
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `?cursor=${id(cursor)}`;
      const page: { lines: FeedLine[]; next: string | null } = await get(`/api/runs/${id(run)}/timeline${query}`);
      yield page.lines;
      cursor = page.next;
    }
  },
  review: (run: string) => get<ReviewView>(`/api/runs/${id(run)}/review`),
  output: (attempt: string, from: number) =>
    get<Piece>(`/api/attempts/${id(attempt)}/output?from=${from}`),
  status: () => get<StatusView>('/api/status'),
};

export const act = {
  /** Turns a link into a cookie; the link is used up by it. */
  enter: (token: string) => write<Sent['Entered']>('POST', '/api/enter', { token } satisfies Sent['Token']),
  answer: (expectation: string, value: string) => post(`/api/expectations/${id(expectation)}/answer`, { value } satisfies Sent['Answered']),
  offer: () => post('/api/offer'),
  accept: () => post('/api/accept'),
  acceptMine: () => post('/api/accept-mine'),
  sign: (criterion: string) => post(`/api/criteria/${id(criterion)}/sign`),
  /** `talk` records what came of a talk about a no-go, or about confidence far apart. */
  say: (text: string, talk = false) => post('/api/room/say', { text, talk } satisfies Sent['Said']),
  vote: (go: boolean, confidence: number, because: string | null) => post('/api/room/vote', { go, confidence, because } satisfies Sent['Voted']),
  /** `page` is a word of the tab's own. */
  seat: (visible: boolean, page: string) => hint<SeatTaken>('POST', '/api/room/seat', { visible, page } satisfies Sent['SeatAsked']),
  leaveSeat: (page: string) => hint<unknown>('DELETE', '/api/room/seat', { visible: false, page } satisfies Sent['SeatAsked']),
  /** `pause`, `resume`, `rollback`, `stop`, `accept-live`: words about a run as a whole. */
  run: (run: string, word: string, because: string | null) => post(`/api/runs/${id(run)}/${word}`, { because } satisfies Sent['Because']),
  /** `done`, `approve`, `retry`, `skip`: words about one step. */
  step: (run: string, step: string, word: string, body: Sent['WordOnStep'] = {}) =>
    post(`/api/runs/${id(run)}/steps/${id(step)}/${word}`, body),
  lesson: (lesson: Sent['NewLesson']) => post('/api/lessons', lesson),
  lessonMet: (lesson: string, how: string) => post(`/api/lessons/${id(lesson)}/met`, { how } satisfies Sent['HowMet']),
  report: (says: string, contact: string | null) => post('/api/status/reports', { says, contact } satisfies Sent['Report']),
  leave: () => post('/api/leave'),
};
