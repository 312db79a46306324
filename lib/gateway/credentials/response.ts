/** Changes responses from hosts with a credential: issued tokens are replaced, secrets masked. */

import { randomBytes } from 'node:crypto';
import { Transform } from 'node:stream';
import { type Header, valuesOf } from '../http/headers.ts';
import type { InspectedResponse, Inspector } from '../http/inspector.ts';
import type { MaskedStream } from './mask.ts';
import { bodyKindOf, encodedFor, namesTokens, tokensIn } from './oauth-tokens.ts';
import { makePlaceholder } from './placeholder.ts';
import { bound, type CredentialState, hostsSharing, maskFor } from './state.ts';

/** WebSocket messages must not be delayed; few end with this many characters of a secret */
const LEAST_IN_STREAM = 8;
type PlainResponse = ReturnType<Inspector['response']>;

export function changeAnswer(state: CredentialState, message: InspectedResponse): PlainResponse {
  const { enforcement } = state;
  const { host, port, headers, reasonPhrase, hasBody, status } = message;
  if (bound(state, host, port).length === 0) return { headers };
  const encoding = valuesOf(headers, 'content-encoding').join().trim().toLowerCase();
  if (hasBody && enforcement.encoding && !['', 'identity'].includes(encoding))
    return {
      headers,
      denial: `the response has the encoding ${encoding.slice(0, 20)}, although identity was requested`,
    };
  const mask = maskFor(state);
  // A session cookie of the real account is as powerful as its key.
  const kept = headers.filter(([name]) => !enforcement.strip || !/^set-cookie2?$/i.test(name));
  const shown = kept
    .filter(([name]) => !mask.occursIn(name))
    .map(([name, value]): Header => [name, mask.replace(value)]);
  const kind =
    status >= 200 && status < 300 && enforcement.tokens ? bodyKindOf(valuesOf(headers, 'content-type')[0]) : undefined;
  const head = { headers: shown, reasonPhrase: mask.replace(reasonPhrase) };
  if (!hasBody) return head;
  const keepTokens = kind === undefined ? {} : { keepTokens: (text: string) => keep(state, message, text, kind) };
  return { ...head, body: answerChange({ mask: mask.stream(), ...keepTokens }) };
}

/** Registers the tokens of the body and replaces them with placeholders. */
function keep(state: CredentialState, { host, port }: InspectedResponse, text: string, kind: 'json' | 'form'): string {
  if (!namesTokens(text)) return text;
  const { book, sandbox } = state;
  const hosts = hostsSharing(state, host, port);
  const placeholders = new Map<string, string>();
  // Non-ASCII bytes occur around tokens, never in them.
  for (const { field, value } of tokensIn(Buffer.from(text, 'latin1').toString('utf8'), kind)) {
    const known = book.of(sandbox).find(({ token }) => token?.value === value);
    const placeholder = known?.text ?? makePlaceholder(value, randomBytes);
    book.put({ text: placeholder, sandbox, label: field, token: { value, hosts } });
    placeholders.set(value, placeholder);
  }
  if (placeholders.size === 0) return text;
  state.onToken?.();
  return replaced(text, placeholders, kind);
}

function replaced(text: string, placeholders: ReadonlyMap<string, string>, kind: 'json' | 'form'): string {
  let out = text;
  for (const [value, placeholder] of placeholders) out = out.split(encodedFor(value, kind)).join(placeholder);
  const left = tokensIn(Buffer.from(out, 'latin1').toString('utf8'), kind).some(({ value }) => placeholders.has(value));
  if (!left) return out;
  // The body escapes tokens differently from `encodedFor`: serialize all of it again.
  const utf8 = Buffer.from(text, 'latin1').toString('utf8');
  const fresh =
    kind === 'json'
      ? JSON.stringify(JSON.parse(utf8, (_key, value: unknown) => placeholders.get(value as string) ?? value))
      : new URLSearchParams(
          [...new URLSearchParams(utf8)].map(([key, value]): [string, string] => [
            key,
            placeholders.get(value) ?? value,
          ]),
        ).toString();
  return Buffer.from(fresh, 'utf8').toString('latin1');
}

/** Frames keep their length, since every mask has the length of its encoding. */
export function maskedStream(state: CredentialState, host: string, port: number): Transform | undefined {
  if (bound(state, host, port).length === 0) return undefined;
  return answerChange({ mask: maskFor(state).stream(LEAST_IN_STREAM) });
}

/** A response that may issue tokens is buffered up to this size, in bytes; a longer one with tokens is aborted */
const HELD_MAX = 256 * 1024;

interface AnswerChange {
  mask: MaskedStream;
  /** Replaces the tokens in a whole body. Undefined: the response cannot issue any */
  keepTokens?: (text: string) => string;
}

/** Replaces issued tokens and masks secrets, streaming the rest. */
function answerChange({ mask, keepTokens }: AnswerChange): Transform {
  let buffered: string | undefined = keepTokens === undefined ? undefined : '';
  const latin = (text: string) => Buffer.from(text, 'latin1');
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = chunk.toString('latin1');
      if (buffered === undefined) return done(null, latin(mask.push(text)));
      buffered += text;
      if (buffered.length <= HELD_MAX) return done();
      if (namesTokens(buffered)) return done(new Error('a response with tokens is too large to be read'));
      const all = buffered;
      buffered = undefined;
      done(null, latin(mask.push(all)));
    },
    flush(done) {
      const last = buffered === undefined ? '' : mask.push(keepTokens?.(buffered) ?? buffered);
      done(null, latin(last + mask.rest()));
    },
  });
}
