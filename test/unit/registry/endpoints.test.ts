import { describe, expect, test } from 'vitest';
import { configOf, endpointsOf } from '../../../lib/registry/endpoints.ts';
import { parseReference } from '../../../lib/registry/reference.ts';

const podman = (text: string) => ({ path: '/etc/containers/registries.conf', text });
const docker = (text: string) => ({ path: '/etc/docker/daemon.json', text });
const places = (reference: string, config = configOf(undefined, undefined)) =>
  endpointsOf(parseReference(reference), config).map(({ host, repository }) => `${host} ${repository}`);

describe('the hosts that are asked', () => {
  test('without configuration: the registry itself, and the public one for a name without a registry', () => {
    expect(places('registry.test/team/dev:1')).toEqual(['registry.test team/dev']);
    expect(places('debian:12')).toEqual(['registry-1.docker.io library/debian']);
    expect(places('docker.io/team/dev')).toEqual(['registry-1.docker.io team/dev']);
  });

  test('Podman’s registries.conf: the registry of a short name, locations, mirrors before the registry', () => {
    const config = configOf(
      podman(`unqualified-search-registries = ["registry.test"]
[[registry]]
prefix = "registry.test/team"
location = "other.test:8443/moved"
[[registry.mirror]]
location = "mirror.test/cache"
[[registry]]
location = "registry.test"
[[registry.mirror]]
location = "localhost:5000"
`),
      undefined,
    );
    expect(places('debian:12', config)).toEqual(['localhost:5000 debian', 'registry.test debian']);
    expect(places('registry.test/team/dev', config)).toEqual(['mirror.test cache/dev', 'other.test:8443 moved/dev']);
    // No prefix of a part of a name
    expect(places('registry.test/teams/dev', config)).toEqual(['localhost:5000 teams/dev', 'registry.test teams/dev']);
    expect(places('elsewhere.test/a', config)).toEqual(['elsewhere.test a']);
  });

  test('Docker’s mirrors are of its public registry only', () => {
    const config = configOf(undefined, docker('{"registry-mirrors": ["https://mirror.test/"]}'));
    expect(places('debian', config)).toEqual(['mirror.test library/debian', 'registry-1.docker.io library/debian']);
    expect(places('registry.test/a', config)).toEqual(['registry.test a']);
  });

  test('a blocked registry is asked nothing', () => {
    const config = configOf(podman('[[registry]]\nprefix = "bad.test"\nblocked = true\n'), undefined);
    expect(() => places('bad.test/a', config)).toThrow('bad.test is blocked');
  });

  test.each([
    [podman('not toml ='), undefined, '/etc/containers/registries.conf'],
    [podman('registry = "x"'), undefined, '/etc/containers/registries.conf'],
    [undefined, docker('{'), '/etc/docker/daemon.json'],
    [undefined, docker('{"registry-mirrors": 5}'), '/etc/docker/daemon.json'],
  ])('a file that cannot be read is an error with its path', (one, two, path) => {
    expect(() => configOf(one, two)).toThrow(`${path} cannot be read`);
  });
});
