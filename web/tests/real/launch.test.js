// @ts-check
// Whole launches with the real binary, three people in three browsers: what one does, all see.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch } from '../browser.js';
import { Handoff } from './handoff.js';
import { enter, held, open, say, toCome, votes } from './room.js';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/**
 * A handoff with only the room open, a launch that waits for it, and Omar, Pia and Lee at their browsers.
 * @param {(stage: { handoff: Handoff, room: Awaited<ReturnType<typeof open>>, launching: ReturnType<Handoff['start']>,
 *   omar: Awaited<ReturnType<typeof enter>>, pia: Awaited<ReturnType<typeof enter>>, lee: Awaited<ReturnType<typeof enter>> }) => Promise<void>} play
 */
async function staged(play) {
  const handoff = await Handoff.make();
  /** @type {Awaited<ReturnType<typeof enter>>[]} */
  const people = [];
  try {
    await handoff.prepare();
    const room = await open(handoff);
    const [omar, pia, lee] = await Promise.all(['omar', 'pia', 'lee'].map((who) => enter(browser, room, who)));
    if (!omar || !pia || !lee) throw new Error('somebody did not come in');
    people.push(omar, pia, lee);
    const launching = handoff.start('omar', ['launch', '--no-room', '--yes']);
    await Promise.all(people.map((person) => toCome(person, room)));
    await play({ handoff, room, launching, omar, pia, lee });
    assert.deepEqual(people.flatMap(({ complaints }) => complaints), []);
  } finally {
    await Promise.all(people.map(({ context }) => context.close()));
    await handoff.end();
  }
}

/** @param {{ page: import('playwright-core').Page }} person @param {string | RegExp} text */
const sees = ({ page }, text) => page.getByText(text).first().waitFor({ timeout: 20_000 });

test('a launch: no-go and its talk, pause, a person lost and covered, taken over, reviewed', async () => {
  await staged(async ({ handoff, room, launching, omar, pia, lee }) => {
    await votes(omar.page, 'Go', 5);
    await votes(pia.page, 'No-go', 2, 'Nobody tried the restore');
    await votes(lee.page, 'Go', 4);
    await sees(omar, 'A talk is needed');
    await sees(lee, /Nobody tried the restore/);
    await say(omar.page, 'Shall we try it together?');
    await sees(pia, 'Shall we try it together?');
    await omar.page.getByLabel('What came of the talk').fill('We restored it together: all rows are there');
    await omar.page.getByRole('button', { name: 'Record it' }).click();
    await sees(pia, /We restored it together: all rows are there/);
    await votes(pia.page, 'Go', 4, 'Seen it now');

    // It begins: every page goes along by itself, and the run stands at the first host.
    await Promise.all([omar, pia, lee].map(({ page }) => page.waitForURL((url) => !url.pathname.endsWith('/next'), { timeout: 20_000 })));
    await omar.page.locator('#step-install.running').waitFor({ timeout: 20_000 });
    await omar.page.locator('#step-install button').first().click();
    await omar.page.locator('figure pre').getByText('stopping 4 workers').waitFor();

    await held(omar.page, 'Pause', 'The workers hang');
    await sees(pia, /The workers hang/);
    await handoff.release('web1');
    await pia.page.getByRole('button', { name: 'Resume' }).waitFor();
    await held(pia.page, 'Resume', 'They are back');
    await omar.page.getByRole('button', { name: 'Pause', exact: true }).waitFor();

    // Lee's laptop is closed: communications is not staffed, until Dana sits down.
    await lee.context.close();
    await sees(omar, 'Somebody is missing');
    await handoff.release('web2');
    await sees(omar, /^Paused/);
    const dana = await enter(browser, room, 'dana');
    await dana.page.getByRole('link', { name: 'Run', exact: true }).click();
    await dana.page.locator('#step-install.succeeded').waitFor({ timeout: 20_000 });

    await pia.page.getByRole('button', { name: 'Approve' }).click();
    await sees(dana, 'Your turn.');
    const done = dana.page.locator('.sticky').getByRole('button', { name: 'Done' });
    assert.equal(await done.isDisabled(), true);
    for (const box of await dana.page.locator('.sticky').getByRole('checkbox').all()) await box.check();
    await done.click();

    await sees(pia, /^Watching/);
    await pia.page.getByRole('heading', { name: 'Measures' }).waitFor();
    await omar.page.locator('.sticky').getByRole('button', { name: 'We take over' }).click({ timeout: 30_000 });
    assert.equal(await launching.ended, 0, launching.text());
    await sees(pia, 'Succeeded');
    await pia.page.getByRole('link', { name: 'Open the review' }).click();
    await sees(pia, /^Succeeded after/);
    await pia.page.getByLabel('What should be different next time?').fill('Two people for communications');
    await pia.page.getByRole('button', { name: 'Keep this lesson' }).click();
    await sees(pia, 'Two people for communications');
    await dana.context.close();
    assert.deepEqual(dana.complaints, []);
  });
});

test('a launch is rolled back from a page, and everybody sees why', async () => {
  await staged(async ({ handoff, launching, omar, pia, lee }) => {
    for (const { page } of [omar, pia, lee]) await votes(page, 'Go', 5);
    await handoff.release('web1');
    await lee.page.locator('#step-install').getByText('1 running').waitFor({ timeout: 20_000 });
    await held(pia.page, 'Roll back', 'Customers see both versions');
    await handoff.release('web2');
    assert.equal(await launching.ended, 4, launching.text());
    for (const person of [omar, lee]) {
      await sees(person, 'Rolled back');
      await sees(person, /Customers see both versions/);
    }
  });
});
