/** Reads the answers of a registry: bounded bodies, and errors in words. */
import { SbxError } from '../errors.ts';
import type { HttpResponse } from './transport.ts';

/** @throws SbxError `registry` if the body is longer than `max` bytes. */
export async function bodyOf(answer: HttpResponse, max: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer.body as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > max) {
      answer.body.destroy();
      throw new SbxError('registry', `the answer of ${answer.url.host} is too long`, {
        why: `it is longer than ${max} bytes`,
      });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const REASON_MAX = 64 * 1024;

/** The error of an answer that is none of the expected ones. `what`: for people, such as `pull team/dev:1` */
export async function refusal(answer: HttpResponse, what: string): Promise<SbxError> {
  const { status, url } = answer;
  const text = await bodyOf(answer, REASON_MAX).catch(() => Buffer.alloc(0));
  const said = reasonIn(text.toString());
  return new SbxError('registry', `${url.host}: cannot ${what}`, {
    why: `HTTP status ${status}${said === undefined ? '' : `: ${said}`}`,
    hint: HINTS[status] ?? 'try again later; the registry is at fault, or a proxy on the way to it',
  });
}

const LOGIN =
  'log in with `docker login` or `podman login`, or store `user:password` with `sbx secret set registry-<host>`; the account needs the right to do it';

const HINTS: Record<number, string> = {
  401: LOGIN,
  403: LOGIN,
  404: 'check the name and the tag; a registry also says so where a login is needed',
  429: 'the registry limits requests: log in, use a mirror, or wait',
};

/** `{errors: [{code, message}]}`, one line, without control characters. */
function reasonIn(text: string): string | undefined {
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    const first = errors?.[0];
    const words = [first?.code, first?.message].filter((part) => typeof part === 'string').join(' ');
    return words === '' ? undefined : words.replace(/\p{C}/gu, ' ').slice(0, 300);
  } catch {
    return undefined;
  }
}
