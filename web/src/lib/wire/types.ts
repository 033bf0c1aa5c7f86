// The shapes of the wire, by the names the page uses.

export type Instant = string;
export type Span = { opens: Instant; closes: Instant; zone: string };

export interface Me {
  handle: string | null;
  name: string;
  zone: string;
  roles: string[];
  teams: string[];
}

export type QuestionState = 'answered' | 'open' | 'declined' | 'later';
export interface Question {
  key: string;
  state: QuestionState;
  open: number;
  waived: number;
}

export interface HandoffRow {
  id: string;
  name: string;
  version: string;
  environment: string;
  from: string;
  to: string;
  window: Span | null;
  verdict: string;
  questions: Question[];
  latest_run: string | null;
}

export interface Blocker {
  code: string;
  question: string;
  says: string;
  names: string[];
  owner: string | null;
  next: string | null;
}

export interface Expectation {
  id: string;
  ask: string;
  answer_kind: string;
  mine: string | null;
  given: Record<string, boolean>;
  conflict: string | null;
  opened: Record<string, string> | null;
}

export interface Criterion {
  id: string;
  says: string;
  owner: string;
  state: string;
  at: Instant | null;
  age_s: number | null;
  fresh_s: number | null;
  sign: string | null;
  output_attempt: string | null;
  why: string | null;
}

export interface PersonView {
  handle: string;
  name: string;
  team: string;
  zone: string;
  hours: string | null;
}

export interface RoleView {
  role: string;
  owner: string;
  backup: string | null;
}

export interface HandoffView {
  id: string;
  name: string;
  version: string;
  environment: string;
  from: string;
  to: string;
  summary: string | null;
  window: Span | null;
  verdict: string;
  at: Instant;
  questions: Question[];
  blockers: Blocker[];
  waived: Blocker[];
  declined: { question: string; because: string; by: string }[];
  expectations: Expectation[];
  criteria: Criterion[];
  measures: { id: string; says: string; owner: string; bar: string }[];
  people: PersonView[];
  roles: RoleView[];
  digests: { content: string; procedure: string; release: string; roster: string };
  offered: { by: string; at: Instant }[];
  accepted: { by: string; at: Instant }[];
  mine_open: { kind: string; id: string; says: string }[];
}

export interface History {
  points: { at: Instant; open: Record<string, number> }[];
  plans: { at: Instant; by: string; what: string; content: string; diff: string | null }[];
}

export interface ParityRow {
  cause: string;
  risk: string;
  factors: string[];
  layer: string;
  subject: string;
  attribute: string;
  hosts: Record<string, string>;
  explained_by: string | null;
  matcher: string;
}
export interface Parity {
  environments: string[];
  rows: ParityRow[];
  collected: { host: string; layer: string; status: string }[];
}

export interface PlanStep extends Step {
  prose: string;
  fences: { role: string; lang: string; text: string }[];
}
export interface PlanView {
  steps: PlanStep[];
}

export type PlaceState = 'waiting' | 'running' | 'succeeded' | 'failed' | 'unknown' | 'undoing' | 'undone' | 'skipped';
export interface Place {
  host: string;
  state: PlaceState;
  role: 'run' | 'verify' | 'undo' | null;
  attempt: string | null;
  began: Instant | null;
  ended: Instant | null;
  tries: number;
}

export interface Step {
  id: string;
  title: string;
  owner: string;
  backup: string | null;
  after: string[];
  state: PlaceState;
  hosts: Place[];
  planned: { begins: Instant; ends: Instant } | null;
  actual: { began: Instant | null; ended: Instant | null };
  expect_s: number | null;
  critical: boolean;
  no_way_back: string | null;
  changes: boolean;
  by_hand: boolean;
  tasks: string[];
  approvals: { need: number; team: string; by: string[] } | null;
  watch_s: number | null;
}

export type Action = 'done' | 'approve' | 'retry' | 'skip' | 'rollback' | 'stop' | 'resume' | 'accept-live';
export interface Wait {
  step: string | null;
  hosts: string[];
  people: string[];
  says: string;
  command: string | null;
  actions: Action[];
  since: Instant;
  escalated_to: string | null;
}

export interface Measure {
  id: string;
  says: string;
  bar: string;
  verdict: string;
  ratio: number | null;
  low: number | null;
  high: number | null;
  e: number | null;
  points: { at: Instant; value: number }[];
}

export interface Watch {
  since: Instant;
  until: Instant;
  verdict: string;
  says: string;
  measures: Measure[];
}

export interface Seat {
  handle: string;
  name: string;
  team: string;
  roles: string[];
  backup_of: string[];
  zone: string;
  present: boolean;
  via: 'page' | 'terminal' | null;
  since: Instant | null;
  required: boolean;
}

export interface Poll {
  open: boolean;
  votes: { handle: string; role: string; go: boolean | null; because: string | null }[];
  missing: string[];
  confidence: { shown: boolean; by_team: Record<string, number> | null };
  talk_needed: string | null;
}

export type Mode = 'going' | 'pausing' | 'paused' | 'frozen' | 'watching' | 'ended';
export interface RunView {
  id: string;
  kind: 'rehearsal' | 'launch';
  environment: string;
  release: string;
  handoff: string;
  seq: number;
  at: Instant;
  opened_at: Instant;
  ended: { outcome: string; because: string; at: Instant } | null;
  mode: Mode;
  leg: 'forward' | 'back' | 'again';
  driven: boolean;
  window: Span | null;
  forecast: { early: Instant; likely: Instant; late: Instant; last_turn_back: Instant | null } | null;
  back: { undoes: string[]; stops_at: string | null; seconds: number | null } | null;
  phases: { title: string; steps: string[] }[];
  steps: Step[];
  waits: Wait[];
  watch: Watch | null;
  people: Seat[];
  poll: Poll;
}

export type RunPatch = { seq: number; steps?: Step[] } & Partial<Omit<RunView, 'seq' | 'steps' | 'id' | 'phases'>>;

export interface FeedLine {
  seq: number;
  at: Instant;
  by: string;
  says: string;
  weight: 'quiet' | 'plain' | 'marked';
  kind: string;
}

export interface Surprise {
  at: Instant;
  kind: string;
  step: string | null;
  says: string;
}
export interface Lesson {
  id: string;
  text: string;
  touches: string[];
  owner: string;
  by: string;
  kept: Instant;
  met: { at: Instant; by: string; how: string } | null;
}
export interface ReviewView {
  run: string;
  kind: 'rehearsal' | 'launch';
  name: string;
  version: string;
  environment: string;
  opened: { at: Instant; by: string } | null;
  ended: { outcome: string; because: string; at: Instant } | null;
  steps: {
    step: string;
    title: string;
    hosts: string[];
    planned_s: number | null;
    began: Instant | null;
    ended: Instant | null;
    paused_s: number;
    tries: number;
    stood: string;
  }[];
  surprises: Surprise[];
  decisions: { at: Instant; by: string; what: string; because: string | null }[];
  lessons: Lesson[];
  touches: string[];
}

export interface StatusView {
  name: string;
  version: string;
  state: string;
  says: string;
  since: Instant | null;
}

export interface RunRow {
  id: string;
  kind: 'rehearsal' | 'launch';
  environment: string;
  release: string;
  opened_at: Instant;
  ended: { outcome: string; because: string; at: Instant } | null;
}
