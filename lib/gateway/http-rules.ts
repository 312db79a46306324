/** Rules by method and path: they narrow a host that is allowed already. Pure. */
import { SbxError } from '../errors.ts';
import type { Endpoint } from './canonical-host.ts';
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
export function decideLine(rules: readonly HttpRule[], { method, target }: RequestLine): LineVerdict | undefined {
  const [first] = rules;
  if (first === undefined) return undefined;
  const path = target.split('?', 1)[0] ?? '';
  const unclear = ambiguityOf(path);
  if (unclear !== undefined && rules.some(({ paths }) => paths.length > 0))
    return { kind: 'ambiguous', detail: unclear, rule: first.rule };
  const allowed = rules.find(
    ({ methods, paths }) =>
      (methods.size === 0 || methods.has(method)) && (paths.length === 0 || paths.some((one) => coversPath(one, path))),
  );
  if (allowed !== undefined) return { kind: 'allowed', rule: allowed.rule };
  return { kind: 'denied', detail: `no rule by method and path covers ${method} ${path}`, rule: first.rule };
}

/** `GET,POST host /a/**`, as messages and the log have it. */
export function textOfHttpRule({ host, methods, paths }: HttpPolicyRule): string {
  return [methods.join(','), host, paths.join(',')].filter((part) => part !== '').join(' ');
}
