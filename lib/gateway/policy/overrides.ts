/** Finds what makes servers treat a request as another one than its method and path say. Pure. */
import type { Framing, Header } from '../http/headers.ts';

interface Overridable {
  method: string;
  target: string;
  headers?: readonly Header[];
  body?: Framing;
}

/** Undefined: nothing. Otherwise a noun phrase for the denial. */
export function overrideIn({ method, target, headers = [], body }: Overridable): string | undefined {
  const header = headers.find(([name]) => HEADER.test(name.replace(SEPARATORS, '-')));
  if (header !== undefined) return `${header[0]}, which may override the method or path,`;
  const parameter = parametersOf(target).find((name) => PARAMETER.test(name.replace(SEPARATORS, '-')));
  if (parameter !== undefined) return `the query parameter ${parameter}, which may override the method,`;
  const empty = body === undefined || body.kind === 'none' || (body.kind === 'length' && body.bytes === 0);
  // A server that reads no body of such a request reads it as the next request, which no rule has seen.
  return BODILESS.has(method) && !empty
    ? `a body of a ${method} request, which may be read as another request,`
    : undefined;
}

/** CGI-style servers map a hyphen to an underscore, and PHP maps a dot or a blank in a parameter. */
const SEPARATORS = /[^a-z0-9$[]/gi;

const HEADER =
  /^x-(http-|original-|rewrite-|forwarded-|override-|envoy-original-|real-)*(method|url|uri|path|prefix|query)(-override)?$/i;

/** `_method` of Rails, Laravel, Symfony and Express, and the headers above as parameters */
const PARAMETER = /^(-method|\$?-?http-?method|\$method|x-(http-)?method(-override)?|method-override)(\[|$)/i;

const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'TRACE']);

function parametersOf(target: string): string[] {
  const query = target.split(/\?(.*)/s)[1] ?? '';
  return query.split(/[&;?]/).map((part) => decoded(part.split('=', 1)[0] ?? ''));
}

function decoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
