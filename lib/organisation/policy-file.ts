/** Reads the organisation's policy of this machine. It counts only where root alone can have written it; one that cannot be read stops what depends on it. */
import { type BigIntStats, lstatSync, readFileSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { nearest } from '../config/load/did-you-mean.ts';
import { invalid } from '../config/load/validation-error.ts';
import type { Positions } from '../config/toml/positions.ts';
import { readToml } from '../config/toml/read-toml.ts';
import { errnoOf, type Place, SbxError } from '../errors.ts';
import type { PolicyRule } from '../gateway/policy/types.ts';
import { pathOf } from '../spec/path-of.ts';
import { parseSize } from '../spec/units.ts';
import { type Forbidden, policySchema } from './schema.ts';

const POLICY_FILE = '/etc/sbx/policy.toml';

export interface Limit {
  /** Bytes for sizes */
  most: number;
  /** As it is written */
  text: string;
  place: Place;
}

export interface Organisation {
  /** Absolute path; undefined: this machine has no policy */
  file: string | undefined;
  neverApproves: Place | undefined;
  forbid: { name: Forbidden; place: Place }[];
  deny: PolicyRule[];
  limits: Partial<Record<'cpus' | 'memory' | 'disk' | 'sandboxes', Limit>>;
}

const NONE: Organisation = { file: undefined, neverApproves: undefined, forbid: [], deny: [], limits: {} };
const HINT = 'ask who administers this machine: only root can change this file';
/** Group and others */
const WRITABLE = 0o022n;

interface Known {
  stamp: string;
  policy: Organisation;
}

const known = new Map<string, Known>();

/**
 * Read again whenever the file has changed.
 * @param owner who must own the file and each folder above it; for tests
 * @throws SbxError `config-syntax`, `config-invalid` with the place, also for a file that others than root could have written
 */
export function readOrganisation(file = POLICY_FILE, owner = 0): Organisation {
  const stamp = stampOf(file, BigInt(owner));
  if (stamp === undefined) return NONE;
  const before = known.get(file);
  if (before?.stamp === stamp) return before.policy;
  const policy = parse(readBytes(file), file);
  // One that was replaced meanwhile is read again by the next call.
  known.set(file, { stamp, policy });
  return policy;
}

/** Undefined: there is none. */
function stampOf(file: string, owner: bigint): string | undefined {
  try {
    const real = realpathSync(file);
    const found = lstatSync(real, { bigint: true });
    if (!found.isFile()) throw refused(file, `${real} is not a file`);
    // Also the folders of a link: who can write there can replace it.
    for (const path of new Set([real, ...foldersOf(real), ...foldersOf(file)])) checkOwner(file, path, owner);
    return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(' ');
  } catch (error) {
    if (error instanceof SbxError) throw error;
    if (errnoOf(error) === 'ENOENT' && !isThere(file)) return undefined;
    throw refused(file, `${errnoOf(error) ?? error}`, error);
  }
}

/** A link that leads nowhere is there: a policy was meant. */
function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

function foldersOf(path: string): string[] {
  const above = dirname(path);
  return above === path ? [] : [above, ...foldersOf(above)];
}

function checkOwner(file: string, path: string, owner: bigint): void {
  const { uid, mode, isSticky } = ownership(lstatSync(path, { bigint: true }));
  if (uid !== owner && uid !== 0n) throw refused(file, `${path} belongs to the user ${uid}, not to root`);
  // In a folder as /tmp others can add names, but not replace one that is root's.
  if ((mode & WRITABLE) !== 0n && !isSticky) throw refused(file, `others than root can write ${path}`);
}

function ownership(found: BigIntStats) {
  return { uid: found.uid, mode: found.isSymbolicLink() ? 0n : found.mode, isSticky: (found.mode & 0o1000n) !== 0n };
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw refused(file, `${errnoOf(error) ?? error}`, error);
  }
}

function refused(file: string, why: string, cause?: unknown): SbxError {
  return new SbxError('config-invalid', `the policy of this machine cannot be used: ${file}`, {
    why,
    hint: HINT,
    ...(cause === undefined ? {} : { cause }),
  });
}

function parse(bytes: Buffer, file: string): Organisation {
  const { value, positions } = readToml(bytes, file);
  const checked = policySchema.safeParse(value);
  if (!checked.success) {
    const unknown = checked.error.issues.find(({ code }) => code === 'unrecognized_keys');
    throw unknown?.code === 'unrecognized_keys'
      ? unknownKey(unknown.path, unknown.keys[0] ?? '', positions)
      : invalid(checked.error.issues, value, positions);
  }
  const { approve, forbid = [], network, limits = {} } = checked.data;
  const limit = (key: keyof typeof limits): Limit | undefined => {
    const text = limits[key];
    if (text === undefined) return undefined;
    const most = typeof text === 'number' ? text : (parseSize(text) ?? 0);
    return { most, text: String(text), place: positions.valueAt(['limits', key]) };
  };
  const found = (['cpus', 'memory', 'disk', 'sandboxes'] as const).map((key) => [key, limit(key)] as const);
  return {
    file,
    neverApproves: approve === 'never' ? positions.valueAt(['approve']) : undefined,
    forbid: forbid.map((name, index) => ({ name, place: positions.valueAt(['forbid', index]) })),
    deny: (network?.deny ?? []).map((pattern, index) => {
      const { line } = positions.valueAt(['network', 'deny', index]);
      return { pattern, text: pattern, file, line };
    }),
    limits: Object.fromEntries(found.filter(([, one]) => one !== undefined)),
  };
}

const KEYS: Record<string, string[]> = {
  '': ['version', 'approve', 'forbid', 'network', 'limits'],
  network: ['deny'],
  limits: ['cpus', 'memory', 'disk', 'sandboxes'],
};

function unknownKey(path: PropertyKey[], key: string, positions: Positions): SbxError {
  const valid = KEYS[path.map(String).join('.')] ?? [];
  const guess = nearest(key, valid);
  return new SbxError('config-invalid', `unknown key "${pathOf([...path, key])}"`, {
    place: positions.keyAt([...path, key]),
    hint: guess === undefined ? `known keys: ${valid.join(', ')}` : `did you mean "${guess}"?`,
  });
}
