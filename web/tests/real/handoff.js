// @ts-check
// A small real handoff in a folder of its own, carried by the real binary (`BATON` names it).

import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const BATON = process.env['BATON'];

/** @param {string} probe where the watched service answers */
const contract = (probe) => `# What we agreed.
name: shop
summary: Shop 2.4 takes orders in two currencies
from: development
to: operations
touches: [shop, orders-db]
people:
  dana: { name: Dana Ito, email: dana@shop.example, zone: Asia/Tokyo }
  lee:  { name: Lee Novak, email: lee@shop.example, zone: Europe/Prague }
  omar: { name: Omar Diaz, email: omar@shop.example, zone: Europe/Madrid }
  pia:  { name: Pia Lund, email: pia@shop.example, zone: Europe/Oslo }
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead:      { owner: omar, backup: pia }
  rollback-decider: { owner: pia, backup: omar }
  communications:   { owner: lee, backup: dana }
release: { version: 2.4.0, kind: code, artifacts: [dist/shop] }
environments:
  staging:
    hosts: { web1: { dir: env/staging/web1 }, web2: { dir: env/staging/web2 } }
    groups: { web: [web1, web2] }
    vars: { HOLD: "" }
  production:
    hosts: { web1: { dir: env/production/web1 }, web2: { dir: env/production/web2 } }
    groups: { web: [web1, web2] }
    vars: { HOLD: held }
launch: { environment: production }
expectations:
  - { id: peak, ask: "Peak orders per minute production must hold?", answer: number, within: 10% }
  - { id: currency, ask: "Unit of the amount field?", answer: [cents, euros] }
done:
  - { id: tests, says: The test suite passes on this release, owner: dana, run: sh suite.sh, fresh: 24h }
  - { id: privacy, says: The privacy review is signed, owner: pia, sign: pia }
parity:
  compare: [staging]
  fresh: 24h
  facts:
    - files: { paths: ["config/**", installed] }
success:
  - id: errors
    says: Requests that fail
    owner: omar
    probe: { url: "${probe}", every: 200ms }
    at_most: 5%
watch: { for: 6s, on_harm: ask, false_alarm: 5% }
runbook: runbook.md
rehearsal: { in: staging, within: 7d }
room: {}
review: { within: 5d }
`;

const RUNBOOK = `# Launch shop 2.4

## Prepare

### Back up the orders {#back-up}

- owner: omar (backup: pia)
- expect: 2s
- changes: nothing

Without a copy there is no way back to *yesterday*.

\`\`\`sh run
echo "copying 3 tables"
echo orders > backup
\`\`\`

\`\`\`sh verify
test -s backup
\`\`\`

## Roll out

### Install the new version {#install}

- owner: lee (backup: dana)
- on: web, 1 at a time
- expect: 3s

\`\`\`sh run
echo "stopping 4 workers"
while test -n "$HOLD" && test ! -e go; do sleep 0.05; done
echo "starting 4 workers of 2.4.0"
echo 2.4.0 > installed
\`\`\`

\`\`\`sh verify
grep -q 2.4.0 installed
\`\`\`

\`\`\`sh undo
rm -f installed
\`\`\`

### Let customers in {#open}

- owner: pia (backup: omar)
- only in: production
- approve: 1 of operations
- changes: nothing
- expect: 2s

\`\`\`sh run
echo "the doors are open"
\`\`\`

## Afterwards

### Tell the customer {#tell}

- owner: lee (backup: dana)
- only in: production
- changes: nothing
- expect: 1m

- [ ] The status page says “2.4 is live”
- [ ] The customer’s contact answered
`;

/** What a person typed and what came of it. */
class Refused extends Error {}

export class Handoff {
  /** @param {string} root @param {import('node:http').Server} service */
  constructor(root, service) {
    this.root = root;
    this.service = service;
    /** @type {Set<import('node:child_process').ChildProcess>} */
    this.running = new Set();
  }

  /** A folder with both files, and a service that answers. */
  static async make() {
    if (BATON === undefined) throw new Error('BATON names no binary');
    const root = await mkdtemp(join(tmpdir(), 'baton-page-'));
    const service = createServer((_ask, reply) => reply.end('fine'));
    await new Promise((resolve) => service.listen(0, '127.0.0.1', () => resolve(undefined)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (service.address());
    const handoff = new Handoff(root, service);
    await handoff.write('handoff.yaml', contract(`http://127.0.0.1:${port}/`));
    await handoff.write('runbook.md', RUNBOOK);
    await handoff.write('dist/shop', 'build 240\n');
    await handoff.write('suite.sh', 'echo "48 tests, all well"\n');
    for (const place of ['staging', 'production'])
      for (const host of ['web1', 'web2']) await handoff.write(`env/${place}/${host}/config/app.toml`, 'workers = 4\n');
    return handoff;
  }

  /** @param {string} path @param {string} text */
  async write(path, text) {
    const file = join(this.root, 'work', path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }

  /** @param {string} who */
  #options(who) {
    const home = join(this.root, 'home', who);
    return { cwd: join(this.root, 'work'), env: { PATH: process.env['PATH'], HOME: home, BATON_HOME: home, NO_COLOR: '1', TZ: 'UTC' } };
  }

  /** Types a command as a person; it must end with one of `codes`. @param {string} who @param {string} line @param {number[]} codes */
  async says(who, line, codes = [0]) {
    return new Promise((resolve, reject) => {
      execFile(String(BATON), [...line.split(' '), '--as', who], this.#options(who), (error, out, err) => {
        const code = error === null ? 0 : Number(error.code);
        if (codes.includes(code)) resolve(out);
        else reject(new Refused(`${who}: baton ${line} ended with ${code}\n${out}${err}`));
      });
    });
  }

  /** Starts a command and leaves it running; `until` waits for what it prints. @param {string} who @param {string[]} words */
  start(who, words) {
    const child = spawn(String(BATON), [...words, '--as', who], { ...this.#options(who), stdio: ['ignore', 'pipe', 'pipe'] });
    this.running.add(child);
    let text = '';
    /** @type {Set<() => void>} */
    const waiting = new Set();
    const heard = (/** @type {unknown} */ piece) => {
      text += String(piece);
      for (const look of waiting) look();
    };
    child.stdout.on('data', heard);
    child.stderr.on('data', heard);
    /** @type {Promise<number>} */
    const ended = new Promise((resolve) =>
      child.on('close', (code) => {
        this.running.delete(child);
        for (const look of waiting) look();
        resolve(code ?? -1);
      }),
    );
    return {
      ended,
      text: () => text,
      stop: () => child.kill('SIGTERM'),
      /** @param {RegExp} pattern @returns {Promise<RegExpExecArray>} */
      until: (pattern) =>
        new Promise((resolve, reject) => {
          const look = () => {
            const found = pattern.exec(text);
            if (found === null && this.running.has(child)) return;
            waiting.delete(look);
            if (found === null) reject(new Refused(`it ended without ${pattern}:\n${text}`));
            else resolve(found);
          };
          waiting.add(look);
          look();
        }),
    };
  }

  /** Everything both sides owe before a launch, but for the room. */
  async prepare() {
    for (const [who, id, value] of [
      ['dana', 'peak', '650'],
      ['omar', 'peak', '640'],
      ['dana', 'currency', 'cents'],
      ['omar', 'currency', 'cents'],
    ])
      await this.says(String(who), `answer ${id} ${value}`);
    await this.says('pia', 'sign privacy');
    await this.says('dana', 'check', [1, 3]);
    await this.says('dana', 'offer');
    await this.says('omar', 'accept');
    for (const who of ['dana', 'lee', 'omar', 'pia']) await this.says(who, 'accept --mine');
    for (const place of ['staging', 'production']) await this.says('omar', `fingerprint ${place}`);
    await this.says('omar', 'rehearse');
    for (const who of ['lee', 'pia', 'omar', 'dana']) await this.says(who, 'check', [0, 1]);
  }

  /** Lets the step that waits go on, on one host. @param {string} host */
  async release(host) {
    await this.write(`env/production/${host}/go`, '');
  }

  async end() {
    for (const child of this.running) child.kill('SIGTERM');
    this.service.closeAllConnections();
    this.service.close();
    await rm(this.root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
