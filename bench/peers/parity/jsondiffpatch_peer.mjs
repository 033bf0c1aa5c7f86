// jsondiffpatch_peer.mjs MODULE DIR: parses three snapshots, compares two with the third, and prints what that took.
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';

const [, , module, folder] = process.argv;
const { create } = await import(pathToFileURL(module));
const read = (name) => JSON.parse(fs.readFileSync(`${folder}/${name}.json`, 'utf8'));
const [dev, staging, production] = ['dev', 'staging', 'production'].map(read);
const differ = create();
let found = 0;
for (const tested of [dev, staging]) found += Object.keys(differ.diff(tested, production) ?? {}).length;
const used = process.resourceUsage();
console.log('differences', found);
console.log('cpu_s', (used.userCPUTime + used.systemCPUTime) / 1e6);
console.log('peak_mib', used.maxRSS / 1024);
