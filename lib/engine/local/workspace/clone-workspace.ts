/** The workspace of mode `clone`: no mount of the host, and a git clone that is made once for each disk of the VM. */
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { SbxError } from '../../../errors.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { fillClone } from '../../../workspace/clone/fill.ts';
import type { CloneGuest } from '../../../workspace/clone/guest.ts';
import { readCloneRecord, writeCloneRecord } from '../../../workspace/clone/record.ts';

/** @throws SbxError `workspace`: `[[mounts]]` would show the host */
export function refuseMounts({ mounts }: SandboxSpec): void {
  if (mounts.length === 0) return;
  throw new SbxError('workspace', 'a sandbox of mode "clone" has no mounts', {
    why: mounts.map(({ host }) => host).join(', '),
    hint: 'remove [[mounts]], or use mode = "mount"',
  });
}

export interface CloneRequest {
  /** File of the clone's record */
  record: string;
  spec: SandboxSpec;
  signal: AbortSignal;
}

/** Before any command runs. A clone that exists stays as it is. @throws SbxError `workspace` */
export async function makeClone(guest: CloneGuest, { record, spec, signal }: CloneRequest): Promise<void> {
  const { path, hide, uncommitted = false } = spec.workspace;
  const source = await fillClone(guest, path, { hide, uncommitted, parent: dirname(record), signal });
  if (source === undefined) return mustFit(record, spec);
  const { top, dir, tips, head, inner: submodules } = source;
  const plain = dir !== top;
  await writeCloneRecord(record, { version: 1, path, hide, top, tips, head, plain, submodules, fetched: [] });
}

/** What a clone holds cannot be hidden or moved later. */
function mustFit(file: string, { name, workspace: { path, hide } }: SandboxSpec): void {
  const record = readCloneRecord(file);
  if (record !== undefined && record.path === path && isDeepStrictEqual(record.hide, hide)) return;
  throw new SbxError('workspace', 'the clone was made for another configuration', {
    why: 'path and hide hold for the time when it is made',
    hint: `run \`sbx fetch ${name}\` for its work, then \`sbx reset ${name} --discard\``,
  });
}
