// @ts-check
// The room of a real handoff: served by the real binary, entered by each person through a link of their own.

/** @typedef {import('./handoff.js').Handoff} Handoff */

/** Serves the handoff; answers where, and each person's one-time link. @param {Handoff} handoff */
export async function open(handoff) {
  const serving = handoff.start('omar', ['serve', '--listen', '127.0.0.1:0', '--format', 'json']);
  const [line] = await serving.until(/^\{[^]*^\}$/m);
  /** @type {{ address: string, links: Record<string, string> }} */
  const { address, links } = JSON.parse(line);
  return { url: address, links, serving };
}

/**
 * A person at a browser of their own.
 * @param {import('playwright-core').Browser} browser @param {{ url: string, links: Record<string, string> }} room
 * @param {string} who @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function enter(browser, room, who, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  /** @type {string[]} */
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`${who}: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(`${who}: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(room.url) && !request.url().startsWith('data:')) complaints.push(`${who} asked ${request.url()}`);
  });
  await page.goto(String(room.links[who]));
  await page.waitForURL(`${room.url}/`);
  return { who, context, page, complaints };
}

/** Presses a safe button, says why, and holds. @param {import('playwright-core').Page} page @param {string} name @param {string} because */
export async function held(page, name, because) {
  await page.getByRole('region', { name: 'Your next action' }).getByRole('button', { name, exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox').fill(because);
  await dialog.getByRole('button', { name: /^Hold to/ }).focus();
  await page.keyboard.down('Space');
  await dialog.waitFor({ state: 'hidden' });
  await page.keyboard.up('Space');
}

/** Goes to the launch that nobody opened yet. @param {{ page: import('playwright-core').Page }} person @param {{ url: string }} room */
export async function toCome({ page }, room) {
  await page.goto(`${room.url}/runs/next`);
  await page.getByRole('region', { name: 'Your next action' }).getByText('Your turn.').waitFor();
}

/** @param {import('playwright-core').Page} page @param {'Go' | 'No-go'} word @param {number} confidence @param {string} [because] */
export async function votes(page, word, confidence, because) {
  await page.keyboard.press('v');
  const dialog = page.getByRole('dialog', { name: 'Go or no-go?' });
  await dialog.getByRole('radio', { name: word, exact: true }).check();
  await dialog.getByRole('radio', { name: String(confidence), exact: true }).check();
  if (because !== undefined) await dialog.getByRole('textbox').fill(because);
  await dialog.getByRole('button', { name: 'Send your vote' }).click();
  await dialog.waitFor({ state: 'hidden' });
}

/** @param {import('playwright-core').Page} page @param {string} text */
export async function say(page, text) {
  await page.getByLabel('Say something to the room').fill(text);
  await page.keyboard.press('Enter');
}
