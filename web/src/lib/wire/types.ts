// The shapes of the wire, by the names the page uses. They are made from the server's code:
// `npm run types` writes generated.ts from crates/baton-server/openapi.json.

import type { components } from './generated.ts';

export type Sent = components['schemas'];

/** In what the server says, every field is there, and `null` where there is nothing to say. */
type Whole<T> = T extends readonly (infer One)[] ? Whole<One>[] : T extends object ? { [Key in keyof T]-?: Whole<T[Key]> } : T;

export type Instant = string;
export type Span = Whole<Sent['SpanView']>;
export type Me = Whole<Sent['Me']>;

export type QuestionState = Sent['FoundState'];
export type Question = Whole<Sent['QuestionView']>;
export type HandoffRow = Whole<Sent['HandoffRow']>;
export type HandoffView = Whole<Sent['HandoffView']>;
export type Blocker = Whole<Sent['BlockerView']>;
export type Expectation = Whole<Sent['ExpectationView']>;
export type Criterion = Whole<Sent['CriterionView']>;
export type History = Whole<Sent['History']>;
export type Parity = Whole<Sent['ParityView']>;
export type ParityRow = Whole<Sent['ParityRow']>;

export type PlanView = Whole<Sent['PlanView']>;
export type PlanStep = Whole<Sent['PlanStep']>;

/** What the launch is called that nobody opened yet, where a run is named. */
export const NEXT = 'next';
export type Runs = Whole<Sent['Runs']>;
export type RunRow = Whole<Sent['RunRow']>;
/** The picture of a measure is left out while a run is watched: the page draws it from its points. */
export type Measure = Omit<Whole<Sent['MeasureView']>, 'svg'> & { svg?: string };
export type Watch = Omit<Whole<Sent['WatchView']>, 'measures'> & { measures: Measure[] };
export type RunView = Omit<Whole<Sent['RunView']>, 'watch'> & { watch: Watch | null };
/** The parts of a run that changed, each whole; `null` is a change too. Without `seq`, only time has passed. */
export type RunPatch = Partial<Pick<RunView, keyof Sent['RunPatch']>>;
export type Mode = Sent['ModeView'];
export type PlaceState = Sent['PlaceState'];
export type Place = Whole<Sent['PlaceView']>;
export type Step = Whole<Sent['StepView']>;
export type Action = Sent['Action'];
export type Wait = Whole<Sent['WaitView']>;
export type Seat = Whole<Sent['SeatView']>;
export type Poll = Whole<Sent['PollView']>;

export type FeedLine = Whole<Sent['FeedLine']>;
export type Hello = Whole<Sent['Hello']>;
export type OpenedFrame = Whole<Sent['OpenedFrame']>;
export type SeatsFrame = Whole<Sent['SeatsFrame']>;
export type OutputFrame = Whole<Sent['OutputFrame']>;
export type Piece = Whole<Sent['OutputView']>;
export type SeatTaken = Whole<Sent['SeatTaken']>;

export type ReviewView = Whole<Sent['ReviewView']>;
export type Surprise = Whole<Sent['SurpriseView']>;
export type Lesson = Whole<Sent['LessonView']>;
export type StatusView = Whole<Sent['StatusView']>;
