// @ts-check
// Every page of a handoff that is really carried out, in light, dark and phone width:
// `BATON=... node tests/shots.js DIR`. Three people look, each at one width and in one light.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launch } from './browser.js';
import { Handoff } from './real/handoff.js';
import { enter, open, say, toCome, votes } from './real/room.js';

/** @type {[string, string, import('playwright-core').BrowserContextOptions][]} */
const LOOKS = [
  ['light', 'omar', { viewport: { width: 1440, height: 1000 }, colorScheme: 'light', timezoneId: 'Europe/Madrid' }],
  ['dark', 'pia', { viewport: { width: 1440, height: 1000 }, colorScheme: 'dark', timezoneId: 'Europe/Oslo' }],
  ['phone', 'lee', { viewport: { width: 390, height: 844 }, colorScheme: 'light', timezoneId: 'Europe/Prague' }],
];

const folder = process.argv[2] ?? 'shots';
await mkdir(folder, { recursive: true });
const browser = await launch();
const handoff = await Handoff.make();
/** @type {(Awaited<ReturnType<typeof enter>> & { look: string })[]} */
const people = [];

/** One picture of `path` in every look; `see` waits until there is something to see. @param {string} name @param {string} path @param {string} see */
async function shoot(name, path, see) {
  for (const { page, look } of people) {
    await page.goto(room.url + path);
    await page.locator(see).first().waitFor();
    await page.waitForFunction(() => document.querySelector('[aria-busy=true]') === null);
    await page.screenshot({ path: join(folder, `${name}-${look}.png`) });
    process.stdout.write(`${name}-${look}.png\n`);
  }
}

const room = await open(handoff);
try {
  for (const [look, who, options] of LOOKS) people.push({ look, ...(await enter(browser, room, who, options)) });
  const [omar, pia, lee] = people.map(({ page }) => page);
  if (!omar || !pia || !lee) throw new Error('somebody did not come in');

  await shoot('out', '/out', 'h1');
  await shoot('status', '/status', 'h1');
  await handoff.says('dana', 'check', [1, 3]);
  await shoot('handoff-not-ready', '/handoff', '#verdict li');
  await handoff.prepare();
  await shoot('handoffs', '/', 'main li');
  await shoot('handoff', '/handoff', '#verdict');

  const launching = handoff.start('omar', ['launch', '--no-room', '--yes']);
  for (const person of people) await toCome(person, room);
  await votes(omar, 'Go', 5);
  await votes(pia, 'Go', 4, 'The restore is green');
  await say(pia, 'Morning all. Ready when you are.');
  await shoot('run-opening', '/runs/next', '.next');
  await votes(lee, 'Go', 4);
  await omar.waitForURL((url) => !url.pathname.endsWith('/next'));
  const run = new URL(omar.url()).pathname;
  await omar.locator('#step-install.running').waitFor();
  await shoot('run-going', run, '#step-install.running');
  for (const { page, look } of people) {
    await page.locator('#step-install button').first().click();
    await page.locator('figure pre').getByText('stopping').waitFor();
    await page.screenshot({ path: join(folder, `run-step-${look}.png`), fullPage: true });
    await page.getByRole('button', { name: 'Graph' }).click();
    await page.locator('.node').first().waitFor();
    await page.screenshot({ path: join(folder, `run-graph-${look}.png`) });
    await page.getByRole('button', { name: 'Roll back' }).first().click();
    await page.screenshot({ path: join(folder, `run-roll-back-${look}.png`) });
    await page.keyboard.press('Escape');
  }
  for (const host of ['web1', 'web2']) await handoff.release(host);
  await pia.getByRole('button', { name: 'Approve' }).waitFor();
  await shoot('run-approving', run, '.next');
  await pia.getByRole('button', { name: 'Approve' }).click();
  await lee.locator('.sticky').getByRole('checkbox').first().waitFor();
  for (const box of await lee.locator('.sticky').getByRole('checkbox').all()) await box.check();
  await lee.locator('.sticky').getByRole('button', { name: 'Done' }).click();
  await omar.getByRole('heading', { name: 'Measures' }).waitFor();
  await shoot('run-watching', run, 'figure svg');
  await omar.locator('.sticky').getByRole('button', { name: 'We take over' }).click({ timeout: 60_000 });
  await launching.ended;
  await shoot('run-ended', run, '.next a');
  await shoot('review', `${run}/review`, 'table');
  const complaints = people.flatMap(({ complaints }) => complaints);
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
} finally {
  await browser.close();
  await handoff.end();
}
