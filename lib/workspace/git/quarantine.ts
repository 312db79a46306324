/** Takes a guest's pack into a repository of its own, where it is checked before anything reaches the user's. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SbxError } from '../../errors.ts';
import { git, tryGit, withoutBase } from './git.ts';
import { limitPack, type PackLimits, refused } from './pack-limits.ts';
import { shallowOf } from './source.ts';

export interface QuarantineOptions {
  /** Of the state folder */
  parent: string;
  /** The user's repository: its objects are read */
  commonDir: string;
  format: 'sha1' | 'sha256';
  limits: PackLimits;
  signal?: AbortSignal | undefined;
  /** For tests only: takes what it would refuse */
  unchecked?: boolean;
}

const PREFIX = 'quarantine-';

export class Quarantine implements Disposable {
  readonly dir: string;
  readonly #options: QuarantineOptions;

  private constructor(dir: string, options: QuarantineOptions) {
    this.dir = dir;
    this.#options = options;
  }

  static async create(options: QuarantineOptions): Promise<Quarantine> {
    mkdirSync(options.parent, { recursive: true, mode: 0o700 });
    // Left by a process that was killed: the caller MUST NOT run two at a time with one parent.
    for (const name of readdirSync(options.parent).filter((one) => one.startsWith(PREFIX)))
      rmSync(join(options.parent, name), { recursive: true, force: true });
    const dir = mkdtempSync(join(options.parent, PREFIX));
    await git(['init', '--quiet', '--bare', '--template=', `--object-format=${options.format}`, dir]);
    mkdirSync(join(dir, 'objects', 'info'), { recursive: true });
    writeFileSync(join(dir, 'objects', 'info', 'alternates'), `${alternate(options.commonDir)}\n`);
    const shallow = shallowOf(options.commonDir);
    if (shallow.length > 0) writeFileSync(join(dir, 'shallow'), `${shallow.join('\n')}\n`);
    return new Quarantine(dir, options);
  }

  /** Each object is checked as `fsckObjects` does. @throws SbxError `workspace` */
  async take(pack: Readable): Promise<void> {
    const { limits, unchecked, signal } = this.#options;
    const limited = limitPack(limits);
    const fed = pipeline(pack, limited);
    fed.catch(() => {});
    const strict = unchecked === true ? [] : ['--strict'];
    const args = ['-C', this.dir, 'index-pack', '--stdin', '--fix-thin', ...strict, `--max-input-size=${limits.bytes}`];
    let failure: unknown;
    limited.once('error', (error) => {
      failure = error;
    });
    const { code, stderr } = await tryGit(args, { input: limited, signal });
    if (failure instanceof SbxError) throw failure;
    if (code !== 0) throw refused(stderr || 'the pack is damaged');
  }

  /** The commit is there with everything that it needs. @throws SbxError `workspace` */
  async mustHold(commit: string, base: string[]): Promise<void> {
    const type = await tryGit(['-C', this.dir, 'cat-file', '-t', commit]);
    if (type.stdout.trim() !== 'commit') throw refused(`${commit} is not a commit that was sent`);
    const input = withoutBase(commit, base);
    const { code, stderr } = await tryGit(['-C', this.dir, 'rev-list', '--objects', '--quiet', '--stdin'], { input });
    if (code !== 0) throw refused(stderr || 'objects are missing');
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A line of `alternates`; git reads a quoted one as a C string. */
function alternate(commonDir: string): string {
  const path = join(commonDir, 'objects');
  if (/[\n\r"#]/.test(path))
    throw refused(`the path of the repository has a character that git cannot take: ${JSON.stringify(path)}`);
  return path;
}
