/** Describes a template: its header comment, and what it adds to a sandbox. Only reads files. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { SandboxConfig } from '../schema/schema.ts';
import { withTemplates } from './extends.ts';
import { plain } from './provenance.ts';
import { readTable } from './read-table.ts';

export interface TemplateInfo {
  name: string;
  file: string;
  /** The first comment line */
  description: string;
  /** Why no test of sbx has run it; undefined: a test has */
  unverified: string | undefined;
  packages: { apt: string[]; npm: string[]; pip: string[]; setup: string[] };
  /** Entries of the allow list */
  hosts: string[];
  secrets: { name: string; env: string; host: string }[];
  command: string[];
  headless: string[];
  /** Paths of the files that it writes */
  files: string[];
}

/** @throws SbxError with the same codes as `loadProject`. */
export async function templateInfo(file: string): Promise<TemplateInfo> {
  const config = plain(await withTemplates(await readTable(file), { onRead: () => {} })) as SandboxConfig;
  const name = basename(file, '.toml');
  const header = headerOf(await readFile(file, 'utf8'));
  const { apt = [], npm = [], pip = [], setup = [] } = config.packages ?? {};
  const agent = typeof config.agent === 'object' ? config.agent : {};
  return {
    name,
    file,
    description: header[0]?.replace(new RegExp(`^${name}: `), '') ?? '',
    unverified: header.find((line) => line.startsWith(UNVERIFIED))?.slice(UNVERIFIED.length),
    packages: { apt, npm, pip, setup },
    hosts: config.network?.allow ?? [],
    secrets: (config.credentials ?? []).map(({ secret, env, host }) => ({ name: secret, env, host })),
    command: agent.command ?? [],
    headless: agent.headless ?? [],
    files: Object.keys(agent.files ?? {}),
  };
}

const UNVERIFIED = 'Unverified: ';

/** The lines of the comment at the top of the file. */
function headerOf(text: string): string[] {
  const lines = text.split(/\r?\n/).filter((line) => !line.startsWith('#:schema'));
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines.slice(0, end < 0 ? undefined : end).map((line) => line.replace(/^# ?/, ''));
}
