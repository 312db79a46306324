/** What becomes of the body of an answer: tokens stay on the host, repeated secrets are masked, the rest streams on. */
import { Transform } from 'node:stream';
import type { MaskedStream } from './mask.ts';
import { namesTokens } from './oauth-tokens.ts';

/** An answer that may hand out tokens is held up to this many bytes; a longer one that does is cut */
const HELD_MAX = 256 * 1024;

export interface AnswerChange {
  mask: MaskedStream;
  /** Takes the tokens out of a whole body. Undefined: none are expected in this answer */
  keepTokens?: (text: string) => string;
}

export function answerChange({ mask, keepTokens }: AnswerChange): Transform {
  let held: string | undefined = keepTokens === undefined ? undefined : '';
  const latin = (text: string) => Buffer.from(text, 'latin1');
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = chunk.toString('latin1');
      if (held === undefined) return done(null, latin(mask.take(text)));
      held += text;
      if (held.length <= HELD_MAX) return done();
      if (namesTokens(held)) return done(new Error('an answer with tokens is too long to be read'));
      const all = held;
      held = undefined;
      done(null, latin(mask.take(all)));
    },
    flush(done) {
      const last = held === undefined ? '' : mask.take(keepTokens?.(held) ?? held);
      done(null, latin(last + mask.rest()));
    },
  });
}
