/** Finds placeholders in every part of a request. Pure. */
import type { InspectedRequest } from '../http/inspector.ts';
import { headerName, percentDecoded } from './login-names.ts';
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
    const where = logins.has(headerName(name)) && headerName(name) !== 'cookie' ? 'login' : 'header';
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
