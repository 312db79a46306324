import { describe, expect, test } from 'vitest';
import { pinImages } from '../../../../lib/daemon/project/pin-images.ts';
import type { Registry } from '../../../../lib/registry/registry.ts';
import type { ProjectSpec, SandboxSpec } from '../../../../lib/spec/spec.ts';
import type { InstanceRecord, Records } from '../../../../lib/state/records.ts';
import { spec } from '../../plan/spec.ts';

const digest = (n: number) => `sha256:${String(n).repeat(64)}`;
const based = (name: string, base: string, n?: number): SandboxSpec => ({
  ...spec(),
  name,
  image: { base, ...(n === undefined ? {} : { digest: digest(n), env: {} }) },
});
const project = (...sandboxes: SandboxSpec[]): ProjectSpec => ({
  name: 'p',
  dir: '/p',
  files: [],
  sandboxes,
});

/** Each resolve gives the next digest. */
function world(known: Record<string, SandboxSpec> = {}) {
  const asked: string[] = [];
  const registry = {
    manifest: async (reference: string) => {
      asked.push(reference);
      const config = { mediaType: '', digest: digest(0), size: 2 };
      return { digest: digest(asked.length), mediaType: '', manifest: { schemaVersion: 2, config, layers: [] } };
    },
    readBlob: async () => Buffer.from('{}'),
  } as Partial<Registry> as Registry;
  const records = {
    idOf: (_: string, name: string) => name,
    get: (id: string) => known[id] && ({ applied: known[id], target: known[id] } as InstanceRecord),
  } as Partial<Records> as Records;
  return { asked, control: { registry, records } };
}

const digests = ({ sandboxes }: ProjectSpec) => sandboxes.map(({ image }) => image.digest);

describe('a tag', () => {
  test('is resolved once for all new sandboxes of a project; other bases ask nobody', async () => {
    const { asked, control } = world();
    const all = project(based('a', 'oci:r.test/x:1'), based('b', 'oci:r.test/x:1'), based('c', 'debian:bookworm'));
    expect(digests(await pinImages(control, all))).toEqual([digest(1), digest(1), undefined]);
    expect(asked).toEqual(['r.test/x:1']);
  });

  test('stays what it was for a sandbox that has it, without asking the registry', async () => {
    const { asked, control } = world({ a: based('a', 'oci:r.test/x:1', 7) });
    expect(digests(await pinImages(control, project(based('a', 'oci:r.test/x:1'))))).toEqual([digest(7)]);
    expect(asked).toEqual([]);
  });

  test('another one in the file, or a rebuild of this sandbox, resolves it again', async () => {
    const { control } = world({ a: based('a', 'oci:r.test/x:1', 7), b: based('b', 'oci:r.test/x:1', 8) });
    expect(digests(await pinImages(control, project(based('a', 'oci:r.test/x:2'))))).toEqual([digest(1)]);
    const both = project(based('a', 'oci:r.test/x:1'), based('b', 'oci:r.test/x:1'));
    expect(digests(await pinImages(control, both, { rebuild: true, only: ['a'] }))).toEqual([digest(2), digest(8)]);
  });
});
