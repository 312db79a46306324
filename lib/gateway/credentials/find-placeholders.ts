/** Finds placeholders in every part of a request. Pure. */
import type { InspectedRequest } from '../http/inspector.ts';
import type { Placeholder, PlaceholderBook } from './placeholder-book.ts';

export interface Found {
  placeholder: Placeholder;
  where: 'login' | 'header' | 'address' | 'body';
  /** Human-readable */
  place: string;
}

/** `logins`: names of login headers, in lower case. */
export function placeholdersIn(message: InspectedRequest, book: PlaceholderBook, logins: ReadonlySet<string>): Found[] {
  const { headers, target, body } = message;
  const inHeaders = headers.flatMap(([name, value]) => {
    const where = logins.has(name.toLowerCase()) && name.toLowerCase() !== 'cookie' ? 'login' : 'header';
    const found = book.findIn(`${value} ${fromBasic(value)} ${percentDecoded(value)} ${name}`);
    return found.map((placeholder): Found => ({ placeholder, where, place: `the header ${name.toLowerCase()}` }));
  });
  const [path = '', query = ''] = target.split(/\?(.*)/s);
  const inAddress = (text: string, place: string) =>
    book
      .findIn(`${text} ${percentDecoded(text)}`)
      .map((placeholder): Found => ({ placeholder, where: 'address', place }));
  return [
    ...inHeaders,
    ...inAddress(path, 'the path'),
    ...inAddress(query, 'the query'),
    ...(body === undefined ? [] : inBody(body.toString('latin1'), book)),
  ];
}

export function inBody(text: string, book: PlaceholderBook): Found[] {
  return book.findIn(text).map((placeholder): Found => ({ placeholder, where: 'body', place: 'the body' }));
}

function fromBasic(value: string): string {
  const encoded = /^basic\s+([\w+/=-]+)$/i.exec(value)?.[1];
  return encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('latin1');
}

/** Decodes once: servers do not decode twice either. */
function percentDecoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Names under which APIs take a key in the query. */
const KEY_PARAMETERS = new Set([
  'key',
  'api_key',
  'api-key',
  'apikey',
  'x-api-key',
  'x-goog-api-key',
  'access_token',
  'oauth_token',
  'auth_token',
  'private_token',
  'authorization',
]);

/** Name of a query parameter that holds a key, possibly of another account. */
export function keyInQuery(target: string): string | undefined {
  const query = target.split(/\?(.*)/s)[1] ?? '';
  return query
    .split(/[&;]/)
    .map((part) => part.split(/=(.*)/s))
    .filter(([, value = '']) => value !== '')
    .map(([name = '']) => percentDecoded(name).toLowerCase())
    .find((name) => KEY_PARAMETERS.has(name));
}
