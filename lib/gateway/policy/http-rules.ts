/** Rules by method and path: they narrow a host that is allowed already. Pure. */
import { SbxError } from '../../errors.ts';
import type { Endpoint } from '../address/canonical-host.ts';
import type { Header } from '../http/headers.ts';
import { ambiguityOf, coversPath, type PathPattern, parsePathPattern } from './path-pattern.ts';
import { coversAddress, coversName, type Pattern, parsePattern } from './pattern.ts';
import type { HttpPolicyRule } from './types.ts';

export interface HttpRule {
  rule: HttpPolicyRule;
  pattern: Pattern;
  /** Empty: all */
  methods: Set<string>;
  /** Empty: all */
  paths: PathPattern[];
}

export interface RequestLine {
  method: string;
  /** Path and query, exactly as sent */
  target: string;
  /** Of a real request */
  headers?: readonly Header[];
}

export type LineVerdict =
  | { kind: 'allowed'; rule: HttpPolicyRule }
  | { kind: 'denied'; detail: string; rule: HttpPolicyRule }
  /** No rule could speak of it */
  | { kind: 'ambiguous'; detail: string; rule: HttpPolicyRule };

/** @throws SbxError `gateway`: the host is malformed. */
export function compileHttpRule(rule: HttpPolicyRule): HttpRule {
  const pattern = parsePattern(rule.host);
  if (pattern === undefined)
    throw new SbxError('gateway', `not a host: ${rule.host}`, {
      hint: 'write one host, such as "api.github.com"',
      ...(rule.file === undefined ? {} : { place: { file: rule.file, line: rule.line ?? 1, column: 1 } }),
    });
  return { rule, pattern, methods: new Set(rule.methods), paths: rule.paths.map(parsePathPattern) };
}

/** Those that narrow the host. None: method and path do not matter. */
export function httpRulesFor(rules: readonly HttpRule[], { host, port, kind }: Endpoint): HttpRule[] {
  return rules.filter(
    ({ pattern }) =>
      (pattern.ports === undefined || (port >= pattern.ports.from && port <= pattern.ports.to)) &&
      (kind === 'name' ? coversName(pattern, host) : coversAddress(pattern, host)),
  );
}

/** `rules`: those of the host, at least one. */
export function decideLine(
  rules: readonly HttpRule[],
  { method, target, headers = [] }: RequestLine,
): LineVerdict | undefined {
  const [first] = rules;
  if (first === undefined) return undefined;
  const path = target.split('?', 1)[0] ?? '';
  const byPath = rules.some(({ paths }) => paths.length > 0);
  const narrows = byPath || rules.some(({ methods }) => methods.size > 0);
  const unclear = (byPath ? ambiguityOf(path) : undefined) ?? (narrows ? overrideIn(headers) : undefined);
  if (unclear !== undefined) return { kind: 'ambiguous', detail: unclear, rule: first.rule };
  const allowed = rules.find(
    ({ methods, paths }) =>
      (methods.size === 0 || methods.has(method)) && (paths.length === 0 || paths.some((one) => coversPath(one, path))),
  );
  if (allowed !== undefined) return { kind: 'allowed', rule: allowed.rule };
  return { kind: 'denied', detail: `no rule by method and path covers ${method} ${path}`, rule: first.rule };
}

/** By these, servers take a request for one of another method or path than its first line says */
const OVERRIDES = new Set([
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-original-uri',
  'x-rewrite-url',
]);

function overrideIn(headers: readonly Header[]): string | undefined {
  // Where fields become variables, an underscore is a hyphen.
  const found = headers.find(([name]) => OVERRIDES.has(name.toLowerCase().replaceAll('_', '-')));
  return found === undefined ? undefined : `${found[0]}, which may stand for another method or path,`;
}

/** `GET,POST host /a/**`, as messages and the log have it. */
export function textOfHttpRule({ host, methods, paths }: HttpPolicyRule): string {
  return [methods.join(','), host, paths.join(',')].filter((part) => part !== '').join(' ');
}
