// One place for how a state is called and drawn. Colour is the third sign, after shape and word.

/** The shapes of `parts/Mark.svelte`. */
export type Shape = 'ring' | 'play' | 'check' | 'cross' | 'diamond' | 'back' | 'dash' | 'pause' | 'dots';
/** The class that colours it: one of the four states, or none. */
export type Tone = 'good' | 'going' | 'held' | 'bad' | 'dimmer' | 'dim';

export interface Look {
  shape: Shape;
  tone: Tone;
  word: string;
}

const look = (shape: Shape, tone: Tone, word: string): Look => ({ shape, tone, word });

const LOOKS: Record<string, Look> = {
  // A step, a host of it.
  waiting: look('ring', 'dimmer', 'waiting'),
  running: look('play', 'going', 'running'),
  succeeded: look('check', 'good', 'done'),
  failed: look('cross', 'bad', 'failed'),
  unknown: look('diamond', 'held', 'not known'),
  undoing: look('back', 'going', 'undoing'),
  undone: look('back', 'dim', 'undone'),
  skipped: look('dash', 'dimmer', 'left out'),
  // A question, a verdict.
  answered: look('check', 'good', 'answered'),
  open: look('diamond', 'held', 'open'),
  declined: look('dash', 'dim', 'declined'),
  later: look('dots', 'dimmer', 'later'),
  ready: look('check', 'good', 'ready'),
  'not-ready': look('diamond', 'held', 'not ready'),
  inconclusive: look('diamond', 'held', 'inconclusive'),
  past: look('dash', 'dim', 'past'),
  // A run.
  going: look('play', 'going', 'going'),
  pausing: look('pause', 'held', 'pausing'),
  paused: look('pause', 'held', 'paused'),
  frozen: look('diamond', 'bad', 'frozen'),
  watching: look('play', 'going', 'watching'),
  ended: look('check', 'dim', 'ended'),
  'rolled-back': look('back', 'held', 'rolled back'),
  stopped: look('cross', 'bad', 'stopped'),
  aborted: look('dash', 'dim', 'aborted'),
  // Evidence, a measure, a vote.
  passing: look('check', 'good', 'passes'),
  failing: look('cross', 'bad', 'fails'),
  missing: look('ring', 'dimmer', 'no evidence yet'),
  unsigned: look('ring', 'held', 'not signed'),
  stale: look('diamond', 'held', 'stale'),
  keep: look('check', 'good', 'keep'),
  hold: look('ring', 'going', 'not decided yet'),
  'roll-back': look('cross', 'bad', 'roll back'),
  fine: look('check', 'good', 'no harm'),
  undecided: look('ring', 'going', 'not decided yet'),
  harm: look('cross', 'bad', 'harm'),
  blind: look('diamond', 'held', 'cannot be seen'),
  go: look('check', 'good', 'go'),
  'no-go': look('cross', 'bad', 'no-go'),
  // How a step stood at the end.
  done: look('check', 'good', 'done'),
  'not-reached': look('ring', 'dimmer', 'not reached'),
  'left-out': look('dash', 'dimmer', 'left out'),
  unfinished: look('diamond', 'held', 'unfinished'),
  'partly-undone': look('diamond', 'held', 'partly undone'),
  'undo-failed': look('cross', 'bad', 'undo failed'),
};

/** How `state` looks; a state of a newer server shows its own name. */
export function lookOf(state: string): Look {
  return LOOKS[state] ?? look('ring', 'dim', state.replaceAll(/[-_]/g, ' '));
}

const OUTCOMES: Record<string, string> = {
  succeeded: 'Succeeded',
  'rolled-back': 'Rolled back',
  stopped: 'Stopped in place',
  aborted: 'Aborted',
};

/** How a run ended, as the beginning of a sentence. */
export function outcomeSays(outcome: string): string {
  return OUTCOMES[outcome] ?? capital(plainly(outcome));
}

/** With a capital first letter. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const QUESTIONS: Record<string, [string, string]> = {
  definition: ['Definition', 'What does done mean, and how is success measured?'],
  alignment: ['Alignment', 'Do both sides mean the same thing?'],
  parity: ['Parity', 'Does what we tested mirror what will run?'],
  ownership: ['Ownership', 'Who does each thing, and who if they can’t?'],
  runbook: ['Runbook', 'What do we do, step by step, and how do we get back?'],
  rehearsal: ['Rehearsal', 'Have we done exactly this before, and its way back?'],
  room: ['Room', 'Are the right people here, now?'],
  review: ['Review', 'Did we learn?'],
};

/** The short name of a question. */
export function questionName(key: string): string {
  return QUESTIONS[key]?.[0] ?? key;
}

/** The question in full. */
export function questionAsks(key: string): string {
  return QUESTIONS[key]?.[1] ?? '';
}

/** `launch-lead` as people write it: `launch lead`. */
export function plainly(word: string): string {
  return word.replaceAll(/[-_]/g, ' ');
}

/** `One`, `one and two`, `one, two and 3 more`. */
export function listed(names: readonly string[], most = 3): string {
  const shown = names.length > most ? [...names.slice(0, most - 1), `${names.length - most + 1} more`] : [...names];
  const last = shown.pop();
  if (last === undefined) return '';
  return shown.length === 0 ? last : `${shown.join(', ')} and ${last}`;
}

/** `One`, `one or two`. */
export function either(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} or ${last}`;
}

/** What somebody said, without their name before it, which stands there already. */
export function saidBy(by: string, says: string): string {
  return says.startsWith(`${by}: `) ? says.slice(by.length + 2) : says;
}

/** `1 step`, `2 steps`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
