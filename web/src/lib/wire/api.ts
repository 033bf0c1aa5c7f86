// Every request the page makes. A refusal arrives as a `Problem` with the server's own words.

import type {
  Expectation,
  HandoffRow,
  HandoffView,
  History,
  Lesson,
  Me,
  Measure,
  Parity,
  PlanView,
  ReviewView,
  RunRow,
  RunView,
  FeedLine,
  StatusView,
} from './types.ts';
import { parse } from './parse.ts';

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
function unreachable(): Problem {
  return new Problem(0, 'Baton does not answer', 'Baton does not answer. The run itself goes on without this page.', 'room.unreachable', [
    'see whether the machine that runs Baton is up',
    'from a terminal there, `baton status` answers the same',
  ]);
}

/** A fresh key for a write, so that sending it twice does it once. */
function writeKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function problem(answer: Response): Promise<Problem> {
  const body = await answer
    .text()
    .then((text) => parse<Record<string, unknown>>(text))
    .catch((): Record<string, unknown> => ({}));
  const text = (key: string) => (typeof body[key] === 'string' ? body[key] : '');
  const hints = Array.isArray(body['hints']) ? body['hints'].filter((hint) => typeof hint === 'string') : [];
  return new Problem(answer.status, text('title') || `Refused (${answer.status})`, text('detail'), text('code'), hints);
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET') headers['idempotency-key'] = writeKey();
  let answer: Response;
  try {
    answer = await fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  } catch {
    throw unreachable();
  }
  if (!answer.ok) throw await problem(answer);
  if (answer.status === 204) return undefined as T;
  const text = await answer.text();
  return text === '' ? (undefined as T) : parse<T>(text);
}

const get = <T>(path: string) => ask<T>('GET', path);
const post = (path: string, body: unknown = {}) => ask<unknown>('POST', path, body);
const id = encodeURIComponent;

export const read = {
  me: () => get<Me>('/api/me'),
  handoffs: () => get<{ handoffs: HandoffRow[] }>('/api/handoffs'),
  handoff: () => get<HandoffView>('/api/handoff'),
  history: () => get<History>('/api/handoff/history'),
  parity: () => get<Parity>('/api/parity'),
  plan: (run?: string) => get<PlanView>(run === undefined ? '/api/plan' : `/api/plan?run=${id(run)}`),
  runs: () => get<{ runs: RunRow[]; next: string | null }>('/api/runs'),
  run: (run: string) => get<RunView>(`/api/runs/${id(run)}`),
  /** All that happened, page by page. */
  async *timeline(run: string): AsyncGenerator<FeedLine[]> {
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `?cursor=${id(cursor)}`;
      const page: { lines: FeedLine[]; next: string | null } = await get(`/api/runs/${id(run)}/timeline${query}`);
      yield page.lines;
      cursor = page.next;
    }
  },
  measures: (run: string) => get<{ measures: Measure[] }>(`/api/runs/${id(run)}/measures`),
  review: (run: string) => get<ReviewView>(`/api/runs/${id(run)}/review`),
  output: (attempt: string, from: number) =>
    get<{ text: string; next: number; complete: boolean }>(`/api/attempts/${id(attempt)}/output?from=${from}`),
  status: () => get<StatusView>('/api/status'),
};

export const act = {
  answer: (expectation: Expectation['id'], value: string) => post(`/api/expectations/${id(expectation)}/answer`, { value }),
  offer: () => post('/api/offer'),
  accept: () => post('/api/accept'),
  acceptMine: () => post('/api/accept-mine'),
  sign: (criterion: string) => post(`/api/criteria/${id(criterion)}/sign`),
  say: (text: string) => post('/api/room/say', { text }),
  vote: (go: boolean, confidence: number, because: string | null) => post('/api/room/vote', { go, confidence, because }),
  seat: (visible: boolean, page: string) => ask<{ seq?: number; at?: string } | undefined>('POST', '/api/room/seat', { visible, page }),
  leaveSeat: () => ask<unknown>('DELETE', '/api/room/seat'),
  /** `pause`, `resume`, `rollback`, `stop`, `accept-live`: words about a run as a whole. */
  run: (run: string, word: string, because: string | null) => post(`/api/runs/${id(run)}/${word}`, { because }),
  /** `done`, `approve`, `retry`, `skip`: words about one step. */
  step: (run: string, step: string, word: string, body: { host?: string; because?: string } = {}) =>
    post(`/api/runs/${id(run)}/steps/${id(step)}/${word}`, body),
  lesson: (lesson: Pick<Lesson, 'text' | 'owner' | 'touches'> & { run: string }) => post('/api/lessons', lesson),
  lessonMet: (lesson: string, how: string) => post(`/api/lessons/${id(lesson)}/met`, { how }),
  report: (says: string, contact: string | null) => post('/api/status/reports', { says, contact }),
  leave: () => post('/api/leave'),
};
