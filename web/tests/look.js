// @ts-check
// Pictures of the built page over made-up answers, to be looked at while one works on it:
// `node tests/look.js DIR NAME=PATH[=SELECTOR+SELECTOR]...`; what the selectors name is clicked first.

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

const [folder = 'shots', ...wanted] = process.argv.slice(2);
const only = process.env['LOOKS']?.split(',');
const server = await serve();
const browser = await launch();
let wrong = 0;
try {
  await mkdir(folder, { recursive: true });
  for (const [look, width, height, colorScheme] of LOOKS) {
    if (only !== undefined && !only.includes(look)) continue;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, timezoneId: 'Europe/London', reducedMotion: 'reduce' });
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
      await page.goto(server.url + path);
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
  server.stop();
}
if (wrong > 0) process.exitCode = 1;
