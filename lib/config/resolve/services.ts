/** Resolves `[[services]]`: where each is on the host, and that it gives away one service and nothing else. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ServiceSpec, ServiceTarget, Source } from '../../spec/spec.ts';
import { fromFile, isInside } from './folders.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

/** Known sockets through which a guest would be more than a client of one service */
const REFUSED: [path: RegExp, what: string][] = [
  [
    /\/(cri-)?(docker|podman|containerd|crio|buildkitd)[^/]*\.sock[^/]*$/,
    'of a container engine: it makes its client root of the host',
  ],
  [/\/(lxd|incus)\/unix\.socket$/, 'of a container engine: it makes its client root of the host'],
  [/\/(libvirt|virt[a-z]+d)[^/]*-sock[^/]*$/, 'of a VM manager: it makes its client root of the host'],
  [/\/snapd[^/]*\.socket$/, 'of the package manager: it makes its client root of the host'],
  [
    /\/(system_bus_socket|bus|bus_\d+|dbus-[^/]*|session-bus[^/]*)$/,
    'of the message bus: it starts programs of the host',
  ],
  [
    /\/(tmux-\d+|emacs\d*|screens?)\/[^/]+$|\/(sway-ipc|i3-ipc|vscode-ipc)[^/]*$/,
    'of a program that runs commands of its client',
  ],
  [/\/(systemd|dbus)[^/]*\/[^/]+$/, 'of the system: it starts programs of the host'],
  [/\/(\.X11-unix\/X\d+|wayland-\d+)$/, 'of the display: it reads and types into every window'],
  [
    /\/(S\.gpg-agent[^/]*|ssh-[^/]*\/agent\.\d+|\.ssh\/agent\/[^/]+|keyring\/[^/]+|gcr\/[^/]+|openssh_agent|[^/]*ssh-agent[^/]*|\.1password\/[^/]+)$/,
    'of an agent that signs with your keys',
  ],
];

/** @throws SbxError `config-invalid`, with the place. */
export async function servicesOf(input: SandboxInput): Promise<ServiceSpec[]> {
  const services: ServiceSpec[] = [];
  for (const [index, entry] of (input.config.services ?? []).entries()) {
    const at = `services[${index}]`;
    const source = input.sources[`${at}.host`] ?? input.sources[at];
    const target = isPath(entry.host) ? { path: await socketOf(entry.host, source, input) } : addressOf(entry.host);
    const port = entry.port ?? ('port' in target ? target.port : undefined);
    if (port === undefined)
      throw problem(source, `services: ${entry.name} is a socket and has no port`, {
        why: 'the guest connects by TCP',
        hint: `add port, such as "port = 5432": the guest connects to ${entry.name}.host.sbx:5432`,
      });
    if (services.some((one) => one.name === entry.name && one.port === port))
      throw problem(source, `services: ${entry.name}.host.sbx:${port} is listed twice`, {
        hint: 'use another name or port for one of them',
      });
    services.push({ name: entry.name, port, target, source: input.sources[at] ?? 'default' });
  }
  return services;
}

function isPath(text: string): boolean {
  return text.startsWith('/') || text.startsWith('~/');
}

/** `text`: checked by the schema */
function addressOf(text: string): Extract<ServiceTarget, { port: number }> {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

async function socketOf(text: string, source: Source | undefined, input: SandboxInput): Promise<string> {
  const path = fromFile(text, source, input);
  const real = await realOf(path);
  const { stateDir } = input.host;
  const refuse = (why: string, hint: string) => {
    throw problem(source, `services: ${text} cannot be a service`, { why, hint });
  };
  if (stateDir !== undefined && isInside(real, await realOf(stateDir)))
    refuse('it is a socket of sbx itself', 'name the socket of another program');
  const found = REFUSED.find(([pattern]) => pattern.test(path) || pattern.test(real));
  if (found !== undefined) refuse(`it is the socket ${found[1]}`, 'name the socket of one service, or its address');
  return path;
}

/** Also of a service that has not started: its folder is there. */
async function realOf(path: string): Promise<string> {
  const folder = async () => join(await realpath(dirname(path)).catch(() => dirname(path)), basename(path));
  return realpath(path).catch(folder);
}
