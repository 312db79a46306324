/** Finds the public key that `[git] sign` means. No private key is read. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { publicKeyOf } from '../../signing/public-key.ts';
import { fromFile } from './folders.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

const READ_MAX = 16 * 1024;
const WRITE_KEY = 'write a public key: sign = "ssh-ed25519 AAAA…", or the path of its .pub file';

/** `type base64`; undefined: commits are not signed. @throws SbxError `config-invalid`, with the place. */
export async function signingKeyOf(input: SandboxInput): Promise<string | undefined> {
  const sign = input.config.git?.sign ?? false;
  if (sign === false) return undefined;
  return sign === true ? keyOfHost(input) : keyIn(input, { text: sign, name: sign });
}

async function keyOfHost(input: SandboxInput): Promise<string> {
  const { host, sources } = input;
  const source = sources['git.sign'];
  const format = (await host.gitValue?.('gpg.format')) ?? 'openpgp';
  if (format !== 'ssh')
    throw problem(source, `git.sign: only ssh signing is supported, and gpg.format of your git is ${format}`, {
      why: 'the private key stays on the host, and the ssh agent there signs',
      hint: `run \`git config --global gpg.format ssh\`, or ${WRITE_KEY}`,
    });
  const text = await host.gitValue?.('user.signingkey');
  if (text !== undefined) return keyIn(input, { text, name: 'user.signingkey of your git' });
  throw problem(source, 'git.sign: your git has no signing key', {
    why: 'user.signingkey is not set in its global configuration',
    hint: `run \`git config --global user.signingkey ~/.ssh/id_ed25519.pub\`, or ${WRITE_KEY}`,
  });
}

/** In all forms of git's `user.signingkey`: a key, also after `key::`, or the path of a file. */
async function keyIn(input: SandboxInput, { text, name }: { text: string; name: string }): Promise<string> {
  const source = input.sources['git.sign'];
  const written = publicKeyOf(text.replace(/^key::/, ''));
  if (written !== undefined) return written;
  if (/^(key::|ssh-|ecdsa-|sk-)/.test(text) || text.includes('\n'))
    throw problem(source, 'git.sign: this is not a public key of ssh', { hint: WRITE_KEY });
  const path = fromFile(text, source, input);
  // Git takes the private key's file, too: the public one is beside it.
  const found = await readKey(path.endsWith('.pub') ? path : `${path}.pub`);
  if (found !== undefined) return found;
  throw problem(source, `git.sign: ${name} names no public key`, {
    why: `${path.endsWith('.pub') ? path : `${path}.pub`} is missing, or has no public key of ssh`,
    hint: WRITE_KEY,
  });
}

async function readKey(path: string): Promise<string | undefined> {
  // A named pipe does not block.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    if (!(await file.stat()).isFile()) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_MAX), 0, READ_MAX, 0);
    return publicKeyOf(buffer.toString('utf8', 0, bytesRead).split('\n')[0] ?? '');
  } finally {
    await file.close();
  }
}
