// @ts-check
// Pictures of pages in light, dark and phone width: `node tests/shots.js DIR URL NAME=PATH...`.
// With `made-up` for URL, the pages show made-up data.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launch } from './browser.js';
import { serve } from './fixtures/serve.js';

/** @type {[string, number, number, 'light' | 'dark'][]} */
const LOOKS = [
  ['light', 1440, 1000, 'light'],
  ['dark', 1440, 1000, 'dark'],
  ['tablet', 1024, 900, 'light'],
  ['phone', 390, 844, 'light'],
  ['phone-dark', 390, 844, 'dark'],
];

const [folder = 'shots', address = 'made-up', ...wanted] = process.argv.slice(2);
const only = process.env['LOOKS']?.split(',');
const madeUp = address === 'made-up' ? await serve() : null;
const base = madeUp?.url ?? address;
const browser = await launch();
let wrong = 0;
try {
  await mkdir(folder, { recursive: true });
  for (const [look, width, height, colorScheme] of LOOKS) {
    if (only !== undefined && !only.includes(look)) continue;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, timezoneId: 'Europe/London', reducedMotion: 'reduce' });
    const token = process.env['BATON_LINK'];
    if (token !== undefined) await (await context.newPage()).goto(token);
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') {
        process.stderr.write(`${look} ${page.url()}: ${message.text()}\n`);
        wrong += 1;
      }
    });
    page.on('pageerror', (error) => {
      process.stderr.write(`${look} ${page.url()}: ${error.stack ?? error.message}\n`);
      wrong += 1;
    });
    for (const word of wanted) {
      const [name = '', path = '/', ...rest] = word.split('=');
      const press = rest.length > 0 ? rest.join('=') : undefined;
      await page.goto(base + path);
      await page.waitForSelector('main h1, main h2');
      await page.waitForFunction(() => document.querySelector('[aria-busy=true]') === null);
      for (const selector of press?.split('+') ?? []) await page.locator(selector).first().click();
      await page.waitForTimeout(250);
      await page.screenshot({ path: join(folder, `${name}-${look}.png`), fullPage: process.env['FULL'] === '1' });
    }
    await context.close();
  }
} finally {
  await browser.close();
  madeUp?.stop();
}
if (wrong > 0) process.exitCode = 1;
