/** Hosts and packages shared by the tests of programs and packages; one list of packages means that one layer serves all. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pythonIndex } from '../../doubles/python/python-index.ts';
import { HOME } from '../harness.ts';
import { type MarkedHosts, startMarkedHosts } from '../network/marked-host.ts';

/** Behind rules by method and path */
export const READ = 'read.programs.test';
/** Passed on unread */
export const UNREAD = 'unread.programs.test';
export const DENIED = 'denied.programs.test';
export const INDEX = 'index.programs.test';

const PACKAGES = [
  { name: 'sbx-greeting', version: '1.0', source: 'def greet(whom):\n    return f"hello {whom}"\n' },
  { name: 'sbx-farewell', version: '2.0', source: 'WORD = "farewell"\n' },
];

/** gron is a program in Go, rhino runs scripts on the distribution's Java. */
const LISTS = `[packages]
apt = ["git", "openssh-client", "postgresql-client", "gron", "rhino"]
npm = ["is-number@7.0.0"]
pip = ["sbx-greeting==1.0"]
setup = ["echo baked > /etc/baked"]
`;

export interface ProgramWorld extends MarkedHosts {
  /** `host:port` → port on loopback of a real server */
  servers: Record<string, number>;
}

/** `files`: what READ and UNREAD have besides: path → content. */
export async function startProgramWorld(
  files: (path: string) => Buffer | undefined = () => undefined,
): Promise<ProgramWorld> {
  const index = pythonIndex(PACKAGES);
  const servers: Record<string, number> = {};
  const folder = join(HOME, 'marked-hosts');
  const hosts = await startMarkedHosts({
    names: [READ, UNREAD, INDEX],
    folder,
    servers,
    answer({ host, url }, response) {
      if (host === INDEX) {
        const { status, type, body } = index(url);
        return void response.writeHead(status, { 'content-type': type }).end(body);
      }
      const file = files(url.split('?')[0] ?? '');
      if (file !== undefined) return void response.writeHead(200).end(file);
      const known = /^\/(open|closed)$/.test(url);
      response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ host, path: url }));
    },
  });
  const pip = join(folder, 'pip.conf');
  writeFileSync(pip, `[global]\nindex-url = https://${INDEX}/simple\n`);
  const environment = { ...hosts.environment, PIP_CONFIG_FILE: pip, PIP_INDEX_URL: '', PIP_EXTRA_INDEX_URL: '' };
  return { ...hosts, environment, servers };
}

/** `network`: the entries of `[network] allow`; READ may be asked for `/open` and below only. */
export function programToml(allow: string[]): string {
  return `version = 1
[resources]
memory = "512MiB"
cpus = 1
${LISTS}[network]
allow = ${JSON.stringify(allow)}
[[network.http]]
host = "${READ}"
methods = ["GET"]
paths = ["/open", "/open/**"]
`;
}
