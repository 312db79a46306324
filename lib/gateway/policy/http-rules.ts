/** HTTP rules, which narrow an allowed host by method and path. Pure. */
import { SbxError } from '../../errors.ts';
import type { Endpoint } from '../address/canonical-host.ts';
import type { Framing, Header } from '../http/headers.ts';
import { overrideIn } from './overrides.ts';
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
  /** Undefined: not a real request */
  headers?: readonly Header[];
  body?: Framing;
}

export type LineVerdict =
  | { kind: 'allowed'; rule: HttpPolicyRule }
  | { kind: 'denied'; detail: string; rule: HttpPolicyRule }
  /** No rule can be applied safely */
  | { kind: 'ambiguous'; detail: string; rule: HttpPolicyRule };

/** @throws SbxError `gateway`: the host is malformed. */
export function compileHttpRule(rule: HttpPolicyRule): HttpRule {
  const pattern = parsePattern(rule.host);
  if (pattern === undefined)
    throw new SbxError('gateway', `invalid host: ${rule.host}`, {
      hint: 'write one host, such as "api.github.com"',
      ...(rule.file === undefined ? {} : { place: { file: rule.file, line: rule.line ?? 1, column: 1 } }),
    });
  return { rule, pattern, methods: new Set(rule.methods), paths: rule.paths.map(parsePathPattern) };
}

/** The rules for the host. Empty: method and path do not matter. */
export function httpRulesFor(rules: readonly HttpRule[], { host, port, kind }: Endpoint): HttpRule[] {
  return rules.filter(
    ({ pattern }) =>
      (pattern.ports === undefined || (port >= pattern.ports.from && port <= pattern.ports.to)) &&
      (kind === 'name' ? coversName(pattern, host) : coversAddress(pattern, host)),
  );
}

/** `rules`: the rules of the host. */
export function decideLine(rules: readonly HttpRule[], request: RequestLine): LineVerdict | undefined {
  const [first] = rules;
  if (first === undefined) return undefined;
  const { method, target } = request;
  const path = target.split('?', 1)[0] ?? '';
  const byPath = rules.some(({ paths }) => paths.length > 0);
  const narrows = byPath || rules.some(({ methods }) => methods.size > 0);
  const unclear = (byPath ? ambiguityOf(path) : undefined) ?? (narrows ? overrideIn(request) : undefined);
  if (unclear !== undefined) return { kind: 'ambiguous', detail: unclear, rule: first.rule };
  const allowed = rules.find(
    ({ methods, paths }) =>
      (methods.size === 0 || methods.has(method)) && (paths.length === 0 || paths.some((one) => coversPath(one, path))),
  );
  if (allowed !== undefined) return { kind: 'allowed', rule: allowed.rule };
  return { kind: 'denied', detail: `no HTTP rule covers ${method} ${path}`, rule: first.rule };
}

/** `GET,POST host /a/**`, for messages and the log. */
export function textOfHttpRule({ host, methods, paths }: HttpPolicyRule): string {
  return [methods.join(','), host, paths.join(',')].filter((part) => part !== '').join(' ');
}
