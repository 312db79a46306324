/** What a template says about itself: its header, and what it would bring into a sandbox. Reads files, runs nothing. */
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
  /** No test of sbx has run it, and why; undefined: one has */
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

/** @throws SbxError as loading a project that uses it would. */
export async function templateInfo(file: string): Promise<TemplateInfo> {
  const config = plain(await withTemplates(await readTable(file), () => {})) as SandboxConfig;
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

/** The comment that a file begins with. */
function headerOf(text: string): string[] {
  const lines = text.split(/\r?\n/).filter((line) => !line.startsWith('#:schema'));
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines.slice(0, end < 0 ? undefined : end).map((line) => line.replace(/^# ?/, ''));
}
