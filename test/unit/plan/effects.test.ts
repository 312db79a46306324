import { describe, expect, test } from 'vitest';
import { EFFECTS } from '../../../lib/plan/effects.ts';
import { spec } from './spec.ts';

describe('every field of a spec', () => {
  test('has its effect in the table', () => {
    // With the fields that may be missing.
    const full = spec({
      image: { ...spec().image, digest: '', env: {}, user: '', workdir: '' },
      services: [],
      mcp: [],
      network: { ...spec().network, bandwidth: 1 },
      ports: [],
      git: { signingKey: '' },
      docker: { enabled: true },
      offerPorts: true,
      lifecycle: { ...spec().lifecycle, idleAction: 'suspend' },
      agent: { ...spec().agent, files: {}, mcpEntry: '', keep: [], keepExcept: [], template: '' },
      workspace: {
        ...spec().workspace,
        ...{ private: [], gitIdentity: false, repository: '/r/.git', repositoryTop: '/r', uncommitted: false },
      },
    });
    expect(Object.keys(EFFECTS).toSorted()).toEqual(Object.keys(full).toSorted());
    for (const [field, effect] of Object.entries(EFFECTS)) {
      if (typeof effect === 'object')
        expect(Object.keys(effect).toSorted()).toEqual(Object.keys(full[field as 'image']).toSorted());
    }
  });
});
