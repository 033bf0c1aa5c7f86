// What the board says: where are we, who is next, is it going well. Pure; it words what the server decided.

import { between, clock, ms, span } from '../../lib/time.ts';
import { capital, counted, either, listed, outcomeSays, plainly } from '../../lib/words.ts';
import type { Action, RunView, Seat, Step, Wait, Watch } from '../../lib/wire/types.ts';

/** One answer: a state for its mark, a few words to be read from afar, a sentence to be read from near. */
export interface Answer {
  state: string;
  head: string;
  sub: string;
}

const ACTIVE = new Set(['running', 'undoing']);
const SETTLED = new Set(['succeeded', 'undone', 'skipped']);

/** Names of people by handle, as the room knows them; `you` for the reader. */
export function nameOf(run: RunView, handle: string, me: string | null): string {
  if (handle === me) return 'you';
  return run.people.find((seat) => seat.handle === handle)?.name ?? handle;
}

/** What moves now: a step that failed on one host may still be under way on others. */
export function active(run: RunView): Step[] {
  return run.steps.filter(moves);
}

function moves(step: Step): boolean {
  return ACTIVE.has(step.state) || step.hosts.some((host) => ACTIVE.has(host.state));
}

/** A role of the room, and who may fill it, its owner first. */
export interface Role {
  role: string;
  people: Seat[];
}

function roles(run: RunView): Role[] {
  const owned = run.people.flatMap((seat) => seat.roles);
  const backed = run.people.flatMap((seat) => seat.backup_of);
  return [...new Set([...owned, ...backed])].map((role) => ({
    role,
    people: [...run.people.filter((seat) => seat.roles.includes(role)), ...run.people.filter((seat) => seat.backup_of.includes(role))],
  }));
}

/** Roles the launch needs that nobody here fills. */
export function uncovered(run: RunView): Role[] {
  return roles(run).filter(({ people }) => people.some((seat) => seat.required) && !people.some((seat) => seat.present));
}

/** Roles for which nobody has voted. */
export function unvoted(run: RunView): Role[] {
  const voted = new Set(run.poll.votes.filter((vote) => vote.go !== null).map((vote) => vote.role));
  const asked = new Set(run.poll.votes.map((vote) => vote.role));
  return roles(run).filter(({ role }) => asked.has(role) && !voted.has(role));
}

/** Whether any step of the run has begun. */
export function begun(run: RunView): boolean {
  return run.steps.some((step) => step.actual.began !== null);
}

/** How many steps are settled on this leg: done on the way forward, undone on the way back. */
export function settled(run: RunView): [number, number] {
  if (run.leg === 'back') {
    const undone = run.steps.filter((step) => step.state === 'undone').length;
    const left = run.steps.filter((step) => step.changes && ['succeeded', 'failed', 'unknown', 'undoing'].includes(step.state));
    return [undone, undone + left.length];
  }
  return [run.steps.filter((step) => step.state === 'succeeded' || step.state === 'skipped').length, run.steps.length];
}

function hostsDone(step: Step): string {
  if (step.hosts.length < 2) return '';
  const done = step.hosts.filter((host) => SETTLED.has(host.state)).length;
  return ` · ${done} of ${step.hosts.length} hosts`;
}

function phaseOf(run: RunView, step: string): string {
  return run.phases.find((phase) => phase.steps.includes(step))?.title ?? '';
}

export function where(run: RunView, now: number): Answer {
  if (run.ended !== null) {
    return { state: run.ended.outcome, head: outcomeSays(run.ended.outcome), sub: run.ended.because };
  }
  const at = active(run);
  const [done, all] = settled(run);
  const progress = run.leg === 'back' ? `${done} of ${counted(all, 'step')} undone` : `${done} of ${counted(all, 'step')} done`;
  if (run.mode === 'frozen') return { state: 'frozen', head: 'Frozen in place', sub: run.waits[0]?.says ?? progress };
  if (run.mode === 'paused') return { state: 'paused', head: 'Paused', sub: progress };
  if (run.mode === 'watching' && run.watch !== null) {
    return { state: 'watching', head: `Watching ${run.environment}`, sub: `${span(between(new Date(now).toISOString(), run.watch.until))} left to watch` };
  }
  const stuck = run.leg === 'back' ? undefined : run.steps.find((step) => step.state === 'failed' || step.state === 'unknown');
  const first = at[0] ?? run.steps.find((step) => step.id === run.waits[0]?.step) ?? stuck;
  if (first === undefined) {
    if (run.poll.open) return { state: 'waiting', head: 'Waiting for the room', sub: 'Nothing has begun yet' };
    return { state: run.mode, head: run.mode === 'pausing' ? 'Pausing' : 'Between two steps', sub: progress };
  }
  const verb = first.state === 'undoing' ? 'Undoing: ' : run.mode === 'pausing' ? 'Pausing after: ' : '';
  const more = at.length > 1 ? ` and ${at.length - 1} more` : '';
  const phase = phaseOf(run, first.id);
  return {
    state: run.mode === 'pausing' ? 'pausing' : ACTIVE.has(first.state) || !moves(first) ? first.state : 'running',
    head: `${verb}${first.title}${more}`,
    sub: `${progress}${phase === '' ? '' : ` · ${phase}`}${hostsDone(first)}`,
  };
}

const ASKED: [Action, string][] = [
  ['approve', 'to approve'],
  ['done', 'to do and tick off'],
  ['accept-live', 'to take over'],
  ['retry', 'to decide about'],
  ['rollback', 'to decide about'],
  ['resume', 'to let the run go on'],
];

/** What a wait asks of its people, in three words. */
export function asked(wait: Wait, run: RunView): string {
  const what = ASKED.find(([action]) => wait.actions.includes(action))?.[1] ?? 'to act on';
  const title = run.steps.find((step) => step.id === wait.step)?.title;
  if (title === undefined) return what.replace(/ (about|on)$/, '');
  return what.endsWith('go on') || what === 'to take over' ? what : `${what}: ${title}`;
}

/** Steps that a person will be asked about, in the order of the plan. */
export function peopleAhead(run: RunView): Step[] {
  return run.steps.filter((step) => step.state === 'waiting' && (step.by_hand || step.approvals !== null));
}

/** When a step is expected, counted from the plan's own times. */
function expected(run: RunView, step: Step, now: number): string {
  const late = lateness(run, now) ?? 0;
  const left = (ms(step.planned?.begins) - now) / 1000 + late;
  return Number.isFinite(left) && left > 30 ? `in about ${span(Math.round(left / 60) * 60 || 60)}` : 'soon';
}

export function next(run: RunView, now: number, me: string | null): Answer {
  if (run.ended !== null) {
    return run.kind === 'launch'
      ? { state: 'ended', head: 'The review', sub: 'What was planned, what happened, what we learned' }
      : { state: 'ended', head: 'Nobody', sub: 'This rehearsal is over' };
  }
  const wait = run.waits[0];
  if (wait !== undefined) {
    const names = wait.people.map((handle) => nameOf(run, handle, me));
    const others = run.waits.length > 1 ? ` · ${counted(run.waits.length - 1, 'more wait', 'more wait')}` : '';
    return { state: 'waiting', head: capital(names.length > 3 ? listed(names) : either(names)), sub: `${capital(asked(wait, run))}${others}` };
  }
  const open = run.poll.open ? unvoted(run) : [];
  if (open.length > 0) {
    const one = open.length === 1 ? open[0] : undefined;
    const who = (one?.people ?? open.flatMap(({ people }) => people.slice(0, 1))).map((seat) => nameOf(run, seat.handle, me));
    return {
      state: 'waiting',
      head: capital(one === undefined ? listed([...new Set(who)]) : either(who)),
      sub: `To vote go or no-go as ${listed(open.map(({ role }) => plainly(role)))}`,
    };
  }
  const ahead = run.leg === 'back' ? undefined : peopleAhead(run)[0];
  if (ahead !== undefined) {
    return { state: 'going', head: capital(nameOf(run, ahead.owner, me)), sub: `${capital(expected(run, ahead, now))}: ${ahead.title}` };
  }
  const by = run.mode === 'watching' ? 'Baton watches by itself' : run.mode === 'paused' ? 'Whoever resumes the run' : 'Baton goes on by itself';
  return { state: 'going', head: 'Nobody', sub: by };
}

/** Seconds by which the run is behind its plan, negative where ahead; null where nothing can be compared. */
export function lateness(run: RunView, now: number): number | null {
  const step = run.steps.findLast((step) => step.actual.ended !== null && step.planned !== null && step.state === 'succeeded');
  const going = active(run).find((step) => step.planned !== null);
  const past = step?.planned == null ? null : between(step.planned.ends, step.actual.ended);
  if (going?.planned == null) return past;
  return Math.max(past ?? Number.NEGATIVE_INFINITY, (now - ms(going.planned.ends)) / 1000);
}

export function well(run: RunView, now: number, zone: string): Answer {
  const places = run.steps.flatMap((step) => step.hosts.map((host) => [step, host] as const));
  const failed = places.filter(([, host]) => host.state === 'failed');
  const unknown = places.filter(([, host]) => host.state === 'unknown');
  if (run.ended !== null) return over(run, run.ended, zone);
  if (run.poll.talk_needed !== null) return { state: 'unknown', head: 'A talk is needed', sub: run.poll.talk_needed };
  const lost = uncovered(run);
  if (failed.length > 0 && run.leg !== 'back') {
    const names = failed.map(([step, host]) => `${step.title} on ${host.host}`);
    return { state: 'failed', head: `${counted(failed.length, 'failure')}`, sub: listed(names, 2) };
  }
  if (unknown.length > 0) {
    const names = unknown.map(([step, host]) => `${step.title} on ${host.host}`);
    return { state: 'unknown', head: 'An outcome is not known', sub: listed(names, 2) };
  }
  if (run.watch !== null && run.mode === 'watching') {
    return watched(run.watch);
  }
  if (lost.length > 0) {
    const who = lost.map(({ role, people }) => `${either(people.map((seat) => seat.name))} as ${plainly(role)}`);
    return { state: 'unknown', head: 'Somebody is missing', sub: `Not here: ${listed(who, 3)}` };
  }
  if (run.leg === 'back') return { state: 'undoing', head: 'Going back', sub: 'Steps are undone in reverse order' };
  if (!run.driven && run.mode === 'going' && !run.poll.open) {
    return { state: 'unknown', head: 'Nobody drives', sub: 'Baton stopped here; resume goes on' };
  }
  if (run.poll.open) return agreed(run);
  return time(run, now, zone);
}

/** Of a launch to come against which nobody speaks. */
function agreed(run: RunView): Answer {
  const all = new Set(run.poll.votes.map((vote) => vote.role).filter((role) => role !== '')).size;
  const open = unvoted(run).length;
  if (open > 0) return { state: 'waiting', head: 'Nobody objects so far', sub: `${all - open} of ${counted(all, 'role')} voted` };
  return { state: 'go', head: 'All say go', sub: 'It begins when nothing else is missing' };
}

/** Of a run that is over: how long it took, or what is left of it where it did not succeed. */
function over(run: RunView, ended: NonNullable<RunView['ended']>, zone: string): Answer {
  const took = span(between(run.opened_at, ended.at));
  const at = clock(ended.at, zone);
  if (ended.outcome === 'succeeded') return { state: 'succeeded', head: `Took ${took}`, sub: `Ended ${at}` };
  const left = run.steps.filter((step) => step.changes && ['succeeded', 'failed', 'unknown', 'running', 'undoing'].includes(step.state));
  const sub = `Ended ${at} after ${took}${left.length === 0 ? '' : `: ${listed(left.map((step) => step.title))}`}`;
  if (ended.outcome !== 'rolled-back') return { state: ended.outcome, head: left.length === 0 ? 'Nothing was changed' : `${counted(left.length, 'change')} left in place`, sub };
  return left.length === 0 ? { state: 'undone', head: 'All was undone', sub } : { state: 'unknown', head: `${counted(left.length, 'change')} not undone`, sub };
}

/** What the judge's word means to somebody far away: a measure without data is said, and is no good news. */
function watched(watch: Watch): Answer {
  if (watch.verdict === 'roll-back') return { state: 'roll-back', head: 'Harm was found', sub: watch.says };
  const blind = watch.measures.filter((measure) => measure.verdict === 'blind');
  if (blind.length > 0) return { state: 'blind', head: `No data for ${listed(blind.map((measure) => measure.says), 2)}`, sub: watch.says };
  return { state: watch.verdict, head: 'No harm seen', sub: watch.says };
}

/** A run is on time while it is behind by less than this, or than a tenth of its plan. */
const SLACK_S = 60;

function slack(run: RunView): number {
  const ends = run.steps.map((step) => ms(step.planned?.ends)).filter(Number.isFinite);
  const begins = run.steps.map((step) => ms(step.planned?.begins)).filter(Number.isFinite);
  return ends.length === 0 ? SLACK_S : Math.max(SLACK_S, (Math.max(...ends) - Math.min(...begins)) / 10_000);
}

function time(run: RunView, now: number, zone: string): Answer {
  const late = lateness(run, now);
  const behind = late !== null && late > slack(run);
  const pace = late === null ? 'On its way' : behind ? `${span(late)} behind plan` : 'On time';
  const forecast = run.forecast;
  if (forecast === null) return { state: 'going', head: pace, sub: 'No forecast yet' };
  const range = `Ends ${clock(forecast.early, zone)} to ${clock(forecast.late, zone)}`;
  const closes = ms(run.window?.closes);
  if (ms(forecast.likely) > closes) return { state: 'failed', head: 'Too late for the window', sub: `${range}; the window closes ${clock(closes, zone)}` };
  if (ms(forecast.late) > closes) return { state: 'unknown', head: 'May outrun the window', sub: `${range}; the window closes ${clock(closes, zone)}` };
  return { state: behind ? 'unknown' : 'succeeded', head: pace, sub: run.window === null ? range : `${range}; the window closes ${clock(closes, zone)}` };
}

/** How many hosts of a step are in which state, worst first. */
export function tally(step: Step): [string, number][] {
  const order = ['failed', 'unknown', 'running', 'undoing', 'waiting', 'undone', 'skipped', 'succeeded'];
  const counts = new Map<string, number>();
  for (const host of step.hosts) counts.set(host.state, (counts.get(host.state) ?? 0) + 1);
  return order.flatMap((state) => (counts.has(state) ? [[state, counts.get(state) as number] as [string, number]] : []));
}

/** Whether a phase should stand open: something in it moves, waits for a person, or went wrong. */
export function stirring(run: RunView, steps: readonly Step[]): boolean {
  const awaited = new Set(run.waits.map((wait) => wait.step));
  return steps.some((step) => moves(step) || step.state === 'failed' || step.state === 'unknown' || awaited.has(step.id));
}
