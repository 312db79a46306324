import { describe, expect, test } from 'vitest';
import { load } from '../project.ts';

const of = (...lines: string[]) => `[[services]]\nname = "db"\n${lines.join('\n')}`;

describe('a service of the host', () => {
  test.each([
    ['host = "127.0.0.1:5432"', 5432, { host: '127.0.0.1', port: 5432 }],
    ['host = "localhost:5432"\nport = 15432', 15432, { host: 'localhost', port: 5432 }],
    ['host = "[::1]:8080"', 8080, { host: '::1', port: 8080 }],
    ['host = "/run/postgresql/.s.PGSQL.5432"\nport = 5432', 5432, { path: '/run/postgresql/.s.PGSQL.5432' }],
  ])('%s', async (lines, port, target) => {
    const { sandboxes } = await load(of(lines));
    expect(sandboxes[0]?.services).toEqual([
      { name: 'db', port, target, source: expect.objectContaining({ line: 1 }) },
    ]);
  });

  test('a file without one has no such field, as specs of earlier builds', async () => {
    expect((await load('')).sandboxes[0]).not.toHaveProperty('services');
  });

  test.each([
    ['host = "127.0.0.1"', /address of the host with a port/],
    ['host = "db.example.com:5432"', /address of the host with a port/],
    ['host = "127.0.0.1:0"', /address of the host with a port/],
    ['host = "127.0.0.1:65536"', /address of the host with a port/],
    ['host = "[127.0.0.1]:80"', /address of the host with a port/],
    ['host = "/run/app.sock"', /db is a socket and has no port/],
    ['host = "/var/run/docker.sock"\nport = 1', /cannot be a service/],
    ['host = "/run/user/1000/podman/podman.sock"\nport = 1', /cannot be a service/],
    ['host = "0.0.0.0:80"', /address of the host with a port/],
    ['host = "[::]:80"', /address of the host with a port/],
    ['host = "/run/libvirt/virtqemud-sock"\nport = 1', /cannot be a service/],
    ['host = "/run/user/1000/gcr/ssh"\nport = 1', /cannot be a service/],
    ['host = "/run/user/1000/ssh-agent.socket"\nport = 1', /cannot be a service/],
    ['host = "/run/snapd.socket"\nport = 1', /cannot be a service/],
    ['host = "/tmp/tmux-1000/default"\nport = 1', /cannot be a service/],
    ['host = "/run/user/1000/bus"\nport = 1', /cannot be a service/],
    ['host = "/run/systemd/private"\nport = 1', /cannot be a service/],
    ['host = "/tmp/.X11-unix/X0"\nport = 1', /cannot be a service/],
    ['host = "/tmp/ssh-abc/agent.12"\nport = 1', /cannot be a service/],
  ])('%s is refused', async (lines, message) => {
    await expect(load(of(lines))).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringMatching(message),
      place: { line: 3 },
    });
  });

  test('two of one name and port are refused', async () => {
    const one = '[[services]]\nname = "db"\nhost = "127.0.0.1:5432"\n';
    await expect(load(one + one.replace('127.0.0.1', '[::1]'))).rejects.toMatchObject({
      message: 'services: db.host.sbx:5432 is listed twice',
    });
  });
});
