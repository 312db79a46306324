/** Transforms a response body: replaces issued tokens and masks secrets, streaming the rest. */
import { Transform } from 'node:stream';
import type { MaskedStream } from './mask.ts';
import { namesTokens } from './oauth-tokens.ts';

/** A response that may issue tokens is buffered up to this size, in bytes; a longer one with tokens is aborted */
const HELD_MAX = 256 * 1024;

export interface AnswerChange {
  mask: MaskedStream;
  /** Replaces the tokens in a whole body. Undefined: the response cannot issue any */
  keepTokens?: (text: string) => string;
}

export function answerChange({ mask, keepTokens }: AnswerChange): Transform {
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
