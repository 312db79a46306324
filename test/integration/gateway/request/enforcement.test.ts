import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { canonicalHost } from '../../../../lib/gateway/address/canonical-host.ts';
import type { ParsedHead } from '../../../../lib/gateway/http/request-head.ts';
import { type Enforcement, FULL_ENFORCEMENT } from '../../../../lib/gateway/request/enforcement.ts';
import { HOSTILE } from '../cases/cases.ts';
import { runHostile } from '../cases/hostile-case.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

const OFF: { [K in 'parseHead' | 'policy' | 'addressCheck' | 'serverName']: Enforcement[K] } = {
  parseHead: lenientHead,
  policy: false,
  addressCheck: false,
  serverName: false,
};

describe('the cases of each control fail without it', () => {
  for (const control of Object.keys(OFF) as (keyof typeof OFF)[]) {
    const cases = HOSTILE.filter((one) => one.control === control);
    test(`${control}: ${cases.length} cases`, async () => {
      expect(cases.length).toBeGreaterThan(0);
      // Most wait for something that does not come: several at a time.
      for (let at = 0; at < cases.length; at += 10)
        await Promise.all(
          cases
            .slice(at, at + 10)
            .map((one) => expect(runHostile(one, { [control]: OFF[control] }), one.name).rejects.toThrow()),
        );
    });
  }

  test('every other control has a test of its own that switches it off', () => {
    const others = Object.keys(FULL_ENFORCEMENT).filter((control) => !(control in OFF));
    const tests = readdirSync(join(HERE, '..'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(join(HERE, '..', name), 'utf8'));
    expect(others.length).toBeGreaterThan(0);
    // Each is run with it off, and then expects what must not happen.
    for (const control of others)
      expect(
        tests.some((text) => text.includes(`enforcement: { ${control}: false }`)),
        control,
      ).toBe(true);
  });
});

/** As a careless proxy reads: every case that must be refused comes through. */
function lenientHead(buffer: Buffer): ParsedHead {
  const text = buffer.toString('latin1');
  const end = /\r?\n\r?\n/.exec(text);
  if (end === null) return 'more';
  const [line = '', ...lines] = text.slice(0, end.index).split(/\r?\n/);
  const [method = '', target = ''] = line.split(' ');
  const authority = target.replace(/^http:\/\//, '').replace(/\/.*$/, '');
  const [name = '', port] = authority.split(':');
  const headers = lines.map((field): [string, string] => [field.split(':')[0] ?? '', field.split(':')[1] ?? '']);
  return {
    head: {
      method,
      target: method === 'CONNECT' ? target : '/',
      endpoint: {
        host: canonicalHost(name)?.host ?? name,
        kind: 'name',
        port: Number(port) || (method === 'CONNECT' ? 443 : 80),
      },
      version: '1.1',
      headers,
      body: { kind: 'none' },
      keepAlive: false,
    },
    bytes: end.index + end[0].length,
  };
}
