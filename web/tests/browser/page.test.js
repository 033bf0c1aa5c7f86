// @ts-check
// The page alone, over made-up answers: how it looks to machines, to keyboards, to hostile text, and when it is not live.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { launch } from '../browser.js';
import { ME, RUNS } from '../fixtures/data.js';
import { serve } from '../fixtures/serve.js';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FIRST_PAGE_KIB_MAX = 150;
const PAGES = ['/', '/handoff', '/status', '/out', '/in', '/nowhere/at/all', ...Object.keys(RUNS).map((run) => `/runs/${run}`), '/runs/run_ended/review'];

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof serve>>} */
let server;

before(async () => {
  browser = await launch();
  server = await serve();
});
after(async () => {
  await browser.close();
  server.stop();
});

/**
 * A fresh page; whatever the browser complains about fails the test.
 * @param {{ width?: number, dark?: boolean }} look
 * @param {(page: import('playwright-core').Page) => Promise<void>} play
 */
async function on({ width = 1280, dark = false }, play) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: dark ? 'dark' : 'light',
    timezoneId: 'Asia/Tokyo',
    reducedMotion: 'reduce',
  });
  /** @type {string[]} */
  const complaints = [];
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    const own = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !own) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url) && !request.url().startsWith('data:')) complaints.push(`asked ${request.url()}`);
  });
  try {
    await play(page);
    assert.deepEqual(complaints, []);
  } finally {
    server.stage.instead.clear();
    server.stage.down = false;
    server.stage.silent = false;
    server.stage.refused = 0;
    server.stage.behind.length = 0;
    server.stage.written.length = 0;
    await context.close();
  }
}

/** @param {import('playwright-core').Page} page @param {string} path */
async function open(page, path) {
  await page.goto(server.url + path);
  await page.waitForSelector('main h1, main h2');
  await page.waitForFunction(() => document.querySelector('[aria-busy=true]') === null);
}

/** @param {import('playwright-core').Page} page */
async function violations(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    // @ts-expect-error axe was just put there
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes.map((/** @type {any} */ node) => node.target.join(' ')).slice(0, 4).join(' | ')}`);
  });
}

for (const [look, options] of /** @type {const} */ ([
  ['light', {}],
  ['dark', { dark: true }],
  ['phone', { width: 390 }],
])) {
  test(`no page has a fault that axe-core sees: ${look}`, async () => {
    await on(options, async (page) => {
      for (const path of PAGES) {
        await open(page, path);
        assert.deepEqual(await violations(page), [], path);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
      }
    });
  });
}

test('dialogs, the graph, an open step and opened folds have no such fault either', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_approving');
    for (const name of ['Roll back', 'Keys']) {
      await page.getByRole('button', { name, exact: true }).first().click();
      assert.deepEqual(await violations(page), [], name);
      await page.keyboard.press('Escape');
    }
    await page.locator('#step-install button').first().click();
    await page.waitForSelector('figure pre');
    assert.deepEqual(await violations(page), [], 'an open step');
    await page.getByRole('button', { name: 'Graph' }).click();
    await page.waitForSelector('.node');
    assert.deepEqual(await violations(page), [], 'the graph');
    await open(page, '/runs/run_opening');
    await page.getByRole('button', { name: 'Change your vote' }).first().click();
    assert.deepEqual(await violations(page), [], 'the vote');
    await open(page, '/handoff');
    for (const fold of await page.locator('summary').all()) await fold.click();
    assert.deepEqual(await violations(page), [], 'the handoff, unfolded');
  });
});

test('the first page is small, and comes without the graph', async () => {
  await on({}, async (page) => {
    /** @type {Promise<Buffer>[]} */
    const bodies = [];
    /** @type {string[]} */
    const asked = [];
    page.on('response', (response) => {
      if (response.url().includes('/api/')) return;
      asked.push(response.url());
      bodies.push(response.body());
    });
    await open(page, '/runs/run_launch');
    const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).length);
    const kib = sizes.reduce((sum, size) => sum + size, 0) / 1024;
    assert.ok(kib <= FIRST_PAGE_KIB_MAX, `${kib.toFixed(1)} KiB`);
    assert.ok(kib > 10, 'nothing was measured');
    assert.ok(!asked.some((url) => url.includes('Graph')), 'the graph came along');
  });
});

test('hostile text in every field stays text', async () => {
  await on({}, async (page) => {
    const hostile = '<img src=x onerror=alert(1)><script>alert(2)</script>';
    const handoff = JSON.parse(JSON.stringify(server.stage ? (await import('../fixtures/data.js')).handoff() : null), (key, value) =>
      typeof value === 'string' && !['state', 'key', 'kind', 'verdict', 'at', 'opens', 'closes', 'zone', 'question', 'id', 'handle'].includes(key) ? hostile + value : value,
    );
    server.stage.instead.set('/api/handoff', { body: handoff });
    server.stage.instead.set('/api/status', { body: { name: hostile, version: hostile, state: hostile, says: hostile, since: null } });
    for (const path of ['/handoff', '/status', '/runs/run_hostile']) {
      await open(page, path);
      assert.equal(await page.locator('img, main script').count(), 0, path);
      assert.ok(await page.getByText('onerror=alert(1)').count(), path);
    }
    await page.getByRole('button', { name: 'Graph' }).click();
    await page.waitForSelector('.node');
    assert.equal(await page.locator('img').count(), 0);
  });
});

test('a safe button says what it would do, wants a reason, and is held; a slip does nothing', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_launch');
    await page.getByRole('button', { name: 'Roll back', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Roll back?' });
    assert.deepEqual(await dialog.locator('ol li').allTextContents(), ['Install the new version', 'Add the currency column', 'Stop taking new orders']);
    const hold = dialog.getByRole('button', { name: 'Hold to roll back' });
    assert.equal(await hold.isDisabled(), true);
    await dialog.getByRole('textbox').fill('The new column is wrong');
    await hold.click();
    assert.deepEqual(written(), []);
    await hold.focus();
    await page.keyboard.down('Space');
    await dialog.waitFor({ state: 'hidden' });
    await page.keyboard.up('Space');
    const [asked] = written();
    assert.deepEqual(asked?.body, { because: 'The new column is wrong' });
    assert.equal(asked?.path, '/api/runs/run_launch/rollback');
    assert.match(asked?.key ?? '', /^[0-9a-f]{32}$/);
  });
});

test('letting go too early does nothing; the button shows how far it is, in steps where nothing should move', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_launch');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    const dialog = page.getByRole('dialog');
    const hold = dialog.getByRole('button', { name: 'Hold to pause' });
    await hold.focus();
    await page.keyboard.down('Enter');
    await dialog.getByText('Keep holding to pause').and(dialog.locator(':not(.widest)')).waitFor();
    await page.waitForFunction(() => /0\.[257]/.test(/** @type {HTMLElement} */ (document.querySelector('.fill')).style.transform));
    const filled = await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('.fill')).style.transform);
    assert.match(filled, /^scaleX\(0\.(25|5|75)\)$/);
    await page.keyboard.up('Enter');
    await hold.waitFor();
    assert.deepEqual(written(), []);
    await page.keyboard.down('Enter');
    await dialog.waitFor({ state: 'hidden' });
    await page.keyboard.up('Enter');
    assert.equal(written().length, 1);
  });
});

test('tools that can only click press twice', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_launch');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Hold to pause' }).evaluate((button) => /** @type {HTMLElement} */ (button).click());
    assert.deepEqual(written(), []);
    await dialog.getByRole('button', { name: 'Press again: pause' }).evaluate((button) => /** @type {HTMLElement} */ (button).click());
    await dialog.waitFor({ state: 'hidden' });
    assert.deepEqual(written().map(({ path, body }) => [path, body]), [['/api/runs/run_launch/pause', { because: null }]]);
  });
});

test('the keyboard alone gets everywhere, and sees where it is', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_approving');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the page');
    await page.keyboard.press('Enter');
    await page.keyboard.press('n');
    await focused(page, 'Approve');
    const ring = await page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.activeElement)).outlineStyle);
    assert.equal(ring, 'solid');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => true);
    assert.deepEqual(written().map(({ path }) => path), ['/api/runs/run_approving/steps/approve-open/approve']);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('c');
    await page.waitForFunction(() => document.activeElement?.id === 'say');
    await page.keyboard.type('ready? 1 2 3');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => /** @type {HTMLInputElement} */ (document.getElementById('say')).value === '');
    assert.deepEqual(written().at(-1)?.body, { text: 'ready? 1 2 3', talk: false });
    await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
    await page.keyboard.press('2');
    await page.waitForSelector('#verdict');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
  });
});

test('what the server says shows at once; a break is said, and mended without a line twice', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_launch');
    const feed = page.getByRole('log');
    const many = await feed.locator('.line').count();
    const line = { seq: 41, at: new Date().toISOString(), by: 'lee', says: 'all workers are back', weight: 'plain', kind: 'said' };
    server.stage.push('feed', line, 41);
    await feed.getByText('all workers are back').waitFor();
    server.stage.push('run', { seq: 42, mode: 'paused' }, 42);
    await page.getByRole('button', { name: 'Resume' }).waitFor();

    server.stage.down = true;
    server.stage.cut();
    const alert = page.getByRole('alert');
    await alert.getByText(/^Not live since \d\d:\d\d:\d\d$/).waitFor();
    assert.deepEqual(await violations(page), []);
    const opened = server.stage.opened;
    server.stage.down = false;
    await alert.getByRole('button', { name: 'Try now' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    assert.equal(await alert.count(), 0);
    assert.equal(server.stage.opened, opened + 1);
    assert.equal(server.stage.behind.at(-1), '42');
    server.stage.push('feed', line, 41);
    server.stage.push('feed', { ...line, seq: 43, says: 'and once more' }, 43);
    await feed.getByText('and once more').waitFor();
    assert.equal(await feed.locator('.line').count(), many + 2);
    // The run was read anew, so what it says now counts, not what was patched before.
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
  });
});

test('a stream that only falls silent is said not to be live, and opened again', async () => {
  await on({}, async (page) => {
    await page.clock.install();
    await open(page, '/runs/run_launch');
    await page.getByText('Live', { exact: true }).waitFor();
    const opened = server.stage.opened;
    server.stage.silent = true;
    server.stage.down = true;
    await page.clock.fastForward(11_000);
    assert.equal(await page.getByText('Live', { exact: true }).count(), 1);
    await page.clock.fastForward(3_000);
    await page.getByRole('alert').getByText(/Not live since/).waitFor();
    server.stage.down = false;
    await page.getByText('Live', { exact: true }).waitFor();
    assert.equal(server.stage.opened, opened + 1);
  });
});

test('a server that does not know this browser any more says so, and what is shown stays', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_launch');
    await page.getByText('Live', { exact: true }).waitFor();
    server.stage.refused = 401;
    server.stage.cut();
    await page.getByRole('alert').getByText('You are signed out here.').waitFor();
    await page.getByRole('heading', { name: 'Runbook' }).waitFor();
    await page.getByRole('link', { name: 'How to come in again' }).click();
    await page.getByText('baton link YOUR-HANDLE').waitFor();
  });
});

test('a no-go wants a talk: what came of it is recorded from the page, and the vote is changed', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_opening');
    const next = page.getByRole('region', { name: 'Your next action' });
    await next.getByText('You say no-go. Once it is settled, change your vote.').waitFor();
    await next.getByLabel('What came of the talk').fill('We tried it together');
    await next.getByRole('button', { name: 'Record it' }).click();
    await until(() => written().length === 1);
    assert.deepEqual(written()[0]?.body, { text: 'We tried it together', talk: true });
    await next.getByRole('button', { name: 'Change your vote' }).click();
    await page.getByRole('dialog', { name: 'Go or no-go?' }).waitFor();
  });
});

test('whoever waits for the launch to come goes along when it is opened', async () => {
  await on({}, async (page) => {
    server.stage.instead.set('/api/runs', { body: { runs: [], next: null } });
    await open(page, '/');
    await page.getByRole('link', { name: 'Run', exact: true }).click();
    await page.waitForURL(`${server.url}/runs/next`);
    await page.getByRole('heading', { name: 'Go or no-go' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Stop', exact: true }).count(), 0);
    await page.getByText('Live', { exact: true }).waitFor();
    server.stage.instead.delete('/api/runs');
    server.stage.push('opened', { run: 'run_launch' }, 50);
    await page.waitForURL(`${server.url}/runs/run_launch`);
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
  });
});

test('a write whose answer is lost is sent again with the same key, by itself and by hand', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_approving');
    server.stage.down = true;
    const keys = () => new Set(written().map(({ key }) => key)).size;
    const lost = page.getByText('nobody knows whether this arrived');
    await page.getByRole('button', { name: 'Approve' }).click();
    await lost.waitFor();
    // The browser may send one more often by itself, on a connection it had open.
    assert.ok(written().length >= 4, `${written().length} were sent`);
    server.stage.down = false;
    const before = written().length;
    await page.getByRole('button', { name: 'Approve' }).click();
    await lost.waitFor({ state: 'detached' });
    await until(() => written().length > before);
    assert.equal(keys(), 1);
    await page.waitForFunction(() => ![...document.querySelectorAll('button')].some((button) => button.textContent === 'Approve' && button.disabled));
    await page.getByRole('button', { name: 'Approve' }).click();
    await until(() => keys() === 2);
  });
});

test('a link brings one in, its word stays nowhere, and it works once', async () => {
  await on({}, async (page) => {
    /** @type {string[]} */
    const asked = [];
    page.on('request', (request) => asked.push(`${request.url()} ${request.headers()['referer'] ?? ''}`));
    await page.goto(`${server.url}/in#secret-word`);
    await page.waitForURL(`${server.url}/`);
    await page.getByRole('heading', { name: 'Handoffs' }).waitFor();
    await page.locator('summary:has-text("You are Pia Lund")').waitFor();
    assert.deepEqual(written().map(({ path, body }) => [path, body]), [['/api/enter', { token: 'secret-word' }]]);
    assert.ok(!asked.slice(1).some((line) => line.includes('secret-word')), asked.join('\n'));
    await page.goBack();
    assert.ok(!page.url().includes('secret-word'));

    await page.goto(`${server.url}/in#secret-word`);
    await page.getByRole('heading', { name: 'This link has done its work' }).waitFor();
    assert.equal(page.url(), `${server.url}/in`);
    await page.getByText('baton link pia').waitFor();
    await page.getByRole('link', { name: 'Go on as Pia Lund' }).waitFor();
    assert.deepEqual(await violations(page), []);

    server.stage.instead.set('/api/me', { status: 401, body: { title: 'Who are you?', status: 401, code: 'room.no-cookie' } });
    // Another link in the same tab is tried at once.
    await page.evaluate(() => (location.hash = 'other-word'));
    await until(() => written().length === 3);
    assert.deepEqual(written().at(-1)?.body, { token: 'other-word' });
    assert.equal(page.url().includes('other-word'), false);
  });
});

test('an answer that breaks off, and one that is not Baton’s, are told and not thrown', async () => {
  await on({}, async (page) => {
    await page.route('**/api/handoff', (route) => route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Sign in to the hotel</h1>' }));
    await page.goto(`${server.url}/handoff`);
    await page.getByText('What answers here is not Baton').waitFor();
    await page.unroute('**/api/handoff');
    await page.route('**/api/handoff', (route) => route.abort('connectionreset'));
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('The run itself goes on without this page.').first().waitFor();
    await page.unroute('**/api/handoff');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.waitForSelector('#verdict');
  });
});

test('times stand in the reader’s zone beside the contract’s, and turn', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_launch');
    const clocks = page.getByRole('button', { name: /Times are shown in your zone/ });
    const row = page.locator('#step-freeze-orders time').first();
    const mine = await row.textContent();
    await clocks.click();
    const theirs = await row.textContent();
    const hours = (/** @type {string | null} */ text) => Number(text?.slice(0, 2));
    assert.equal((hours(mine) - hours(theirs) + 24) % 24, 8, `${mine} and ${theirs}`);
  });
});

test('empty, loading, failed and signed out are pages too', async () => {
  await on({}, async (page) => {
    server.stage.instead.set('/api/handoffs', { body: { handoffs: [] } });
    await open(page, '/');
    await page.getByText('No handoff is here yet').waitFor();

    /** @type {(value?: unknown) => void} */
    let arrive = () => undefined;
    const hold = new Promise((resolve) => (arrive = resolve));
    server.stage.instead.set('/api/runs/run_launch', { body: RUNS['run_launch']?.(), hold });
    await page.goto(`${server.url}/runs/run_launch`);
    await page.getByText('Loading the run').waitFor({ state: 'attached' });
    arrive();
    await page.getByRole('heading', { name: 'Runbook' }).waitFor();

    await page.goto(`${server.url}/runs/run_nowhere`);
    await page.getByText('There is no such run').waitFor();
    await page.getByText('baton status lists the runs').waitFor();
    assert.deepEqual(await violations(page), []);

    server.stage.instead.set('/api/handoff', { status: 401, body: { title: 'Who are you?', status: 401, code: 'room.no-cookie' } });
    await open(page, '/handoff');
    await page.getByRole('heading', { name: 'Ask for your link' }).waitFor();
  });
});

test('a refusal is told in the server’s words, beside the button', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_approving');
    const refusal = { title: 'Refused', status: 409, detail: 'Pia Lund has approved already.', code: 'run.twice', hints: ['somebody else of operations approves'] };
    server.stage.instead.set('/api/runs/run_approving/steps/approve-open/approve', { status: 409, body: refusal });
    await page.getByRole('button', { name: 'Approve' }).click();
    const alert = page.getByRole('alert');
    await alert.getByText('Pia Lund has approved already.').waitFor();
    await alert.getByText('somebody else of operations approves').waitFor();
  });
});

test('300 steps on 40 hosts stay a page one can use', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_long');
    const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
    assert.ok(nodes < 3_000, `${nodes} elements`);
    await page.locator('#step-step-171').waitFor();
    const inSight = await page.locator('#step-step-171').evaluate((row) => {
      const box = row.getBoundingClientRect();
      return box.top >= 0 && box.bottom <= innerHeight;
    });
    assert.ok(inSight, 'the step that moves is not in sight');
    await page.locator('#step-step-171 button').first().click();
    await page.getByRole('button', { name: 'Show all 40 hosts' }).waitFor();
    assert.equal(await page.locator('.panel tbody tr').count(), 12);
    const first = await page.locator('.panel tbody tr').first().textContent();
    assert.match(first ?? '', /failed/);
    const folded = page.locator('.fold[aria-expanded=false]');
    while ((await folded.count()) > 0) await folded.first().click();
    assert.equal(await page.locator('.runbook li[id]').count(), 300);
    const late = await page.evaluate(async () => {
      const began = performance.now();
      document.querySelector('.pane')?.scrollTo({ top: 9_000 });
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      return performance.now() - began;
    });
    assert.ok(late < 400, `${late.toFixed(0)} ms for a scroll`);
  });
});

test('a page somebody looks at sits in the room; one that is left does not', async () => {
  await on({}, async (page) => {
    await open(page, '/runs/run_launch');
    assert.equal(ME.handle, 'pia');
    await page.waitForRequest((request) => request.url().endsWith('/api/room/seat') && request.postDataJSON()?.visible === true);
    await page.locator('summary:has-text("You are Pia Lund")').click();
    const left = page.waitForRequest((request) => request.url().endsWith('/api/room/seat') && request.method() === 'DELETE');
    await page.getByRole('button', { name: 'Leave' }).click();
    await left;
    await page.getByRole('heading', { name: 'Ask for your link' }).waitFor();
  });
});

/** Waits until something holds here. @param {() => boolean} holds */
async function until(holds) {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** What was written, but for the seat that every page keeps. */
function written() {
  return server.stage.written.filter(({ path }) => path !== '/api/room/seat');
}

/** @param {import('playwright-core').Page} page @param {string} name */
async function focused(page, name) {
  assert.equal(await page.evaluate(() => document.activeElement?.textContent?.trim()), name);
}
