import { describe, expect, it } from 'vitest';
import { begun, next, settled, stirring, tally, well, where } from '../../src/pages/run/board.ts';
import type { RunView, Step } from '../../src/lib/wire/types.ts';
import { RUNS, START } from '../fixtures/data.js';

const NOW = START + 16 * 60_000;
const run = (id: string): RunView => (RUNS[id] as () => RunView)();
const answers = (id: string, me: string | null = 'lee') => {
  const view = run(id);
  return [where(view, NOW), next(view, NOW, me), well(view, NOW, 'UTC')].map(({ head }) => head);
};

describe('the board', () => {
  it.each([
    ['run_launch', ['Install the new version', 'Pia Lund', 'On time']],
    ['run_approving', ['Let customers in', 'Pia Lund', 'On time']],
    ['run_opening', ['Waiting for the room', 'You or Dana Ito', 'A talk is needed']],
    ['run_watching', ['Watching production', 'Nobody', 'No harm seen']],
    ['run_frozen', ['Frozen in place', 'Pia Lund', '1 failure']],
    ['run_back', ['Undoing: Add the currency column', 'Nobody', 'Going back']],
    ['run_ended', ['Succeeded', 'The review', 'Took 19 min']],
    ['run_long', ['Put back group 12, part 1', 'Nobody', '1 failure']],
  ])('of %s', (id, heads) => expect(answers(id)).toEqual(heads));

  it('calls the reader by name of nobody else', () => {
    expect(answers('run_approving', 'pia')[1]).toBe('You');
    expect(answers('run_approving', null)[1]).toBe('Pia Lund');
  });

  it('says so when the window is too short, or may be', () => {
    const view = run('run_launch');
    const closes = (minutes: number) => ({ ...view, window: { opens: view.opened_at, closes: new Date(START + minutes * 60_000).toISOString(), zone: 'UTC' } });
    expect(well(closes(35), NOW, 'UTC').head).toBe('May outrun the window');
    expect(well(closes(20), NOW, 'UTC').head).toBe('Too late for the window');
  });

  it('says who is missing, and when nobody drives', () => {
    const view = run('run_launch');
    const without = (...gone: string[]) => ({ ...view, people: view.people.map((seat) => (gone.includes(seat.handle) ? { ...seat, present: false } : seat)) });
    // A backup fills a role as well as its owner does.
    expect(well(without('omar'), NOW, 'UTC').head).toBe('On time');
    expect(well(without('lee', 'dana'), NOW, 'UTC')).toMatchObject({ head: 'Somebody is missing', sub: 'Not here: Lee Novak or Dana Ito as communications' });
    expect(well({ ...view, driven: false }, NOW, 'UTC').head).toBe('Nobody drives');
  });

  it('asks for a vote by role, and is content with one for each', () => {
    const view = run('run_opening');
    expect(next(view, NOW, null)).toMatchObject({ head: 'Lee Novak or Dana Ito', sub: 'To vote go or no-go as communications' });
    expect(well({ ...view, poll: { ...view.poll, talk_needed: null }, people: view.people.map((seat) => ({ ...seat, present: true })) }, NOW, 'UTC')).toMatchObject({
      head: 'Nobody objects so far',
      sub: '2 of 3 roles voted',
    });
    const none = { ...view, poll: { ...view.poll, votes: view.poll.votes.map((vote) => ({ ...vote, go: null })) } };
    expect(next(none, NOW, null).head).toBe('Omar Diaz, Pia Lund and Lee Novak');
  });

  it('a step that failed on one host still goes on where others run', () => {
    expect(where(run('run_long'), NOW).state).toBe('running');
  });

  it('of a run that went back says what is left of it', () => {
    const view = run('run_back');
    const ended = { ...view, ended: { outcome: 'rolled-back', because: 'Harm', at: view.at } };
    expect(well(ended, NOW, 'UTC').head).toBe('2 changes not undone');
    const clean = { ...ended, steps: ended.steps.map((step) => (step.changes && step.state !== 'waiting' ? { ...step, state: 'undone' as const } : step)) };
    expect(well(clean, NOW, 'UTC')).toMatchObject({ state: 'undone', head: 'All was undone' });
  });

  it('a judge without data has no good news', () => {
    const view = run('run_watching');
    const watch = view.watch as NonNullable<RunView['watch']>;
    const blind = { ...view, watch: { ...watch, measures: watch.measures.map((measure) => ({ ...measure, verdict: 'blind' })) } };
    expect(well(blind, NOW, 'UTC').head).toBe('No data for Requests that fail and Checkout slower than 300 ms');
    expect(well({ ...view, watch: { ...watch, verdict: 'roll-back' } }, NOW, 'UTC').head).toBe('Harm was found');
  });

  it('counts steps forward and back', () => {
    expect(settled(run('run_launch'))).toEqual([4, 9]);
    expect(settled(run('run_back'))).toEqual([1, 3]);
    expect(begun(run('run_opening'))).toBe(false);
  });

  it('shows the worst of many hosts first', () => {
    const step = run('run_long').steps[171] as Step;
    expect(tally(step)).toEqual([
      ['failed', 1],
      ['unknown', 1],
      ['running', 4],
      ['waiting', 10],
      ['succeeded', 24],
    ]);
    const view = run('run_long');
    const open = view.phases.filter((phase) => stirring(view, view.steps.filter((step) => phase.steps.includes(step.id))));
    expect(open.map((phase) => phase.title)).toEqual(['Group 12 of 20']);
  });
});
