import { expect, test } from 'vitest';
import { commandsOf } from '../../../../lib/config/devcontainer/commands.ts';

test.each<[unknown, object]>([
  ['apt-get update && apt-get install -y --no-install-recommends jq', { apt: ['jq'], npm: [], later: [] }],
  ['sudo npm install -g pnpm@10', { apt: [], npm: ['pnpm@10'], later: [] }],
  ['npm ci && npm run build', { apt: [], npm: [], later: ['npm ci', 'npm run build'] }],
  ['apt-get install -y jq; rm -rf x', { apt: [], npm: [], later: ['apt-get install -y jq; rm -rf x'] }],
  [
    'apt-get install -o Dpkg::Pre-Invoke=x jq',
    { apt: [], npm: [], later: ['apt-get install -o Dpkg::Pre-Invoke=x jq'] },
  ],
  [['bash', '-c', 'echo $HOME'], { apt: [], npm: [], later: ["bash -c 'echo $HOME'"] }],
  [
    { a: 'make', b: ['make', 'x'] },
    { apt: [], npm: [], later: ['make', 'make x'] },
  ],
])('%j', (value, expected) => {
  expect(commandsOf(value)).toEqual(expected);
});

test.each([3, null, [1], { a: 1 }])('%j is no command', (value) => {
  expect(commandsOf(value)).toBeUndefined();
});
