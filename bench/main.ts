/** Every row of the speed table of the design, each beside its floor of the same run. `--json` for machines; names of parts for these alone. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { agent } from './parts/agent.ts';
import { commands } from './parts/commands.ts';
import { copies } from './parts/copies.ts';
import { edits } from './parts/edits.ts';
import { interception } from './parts/interception.ts';
import { manyFiles } from './parts/many-files.ts';
import { memory } from './parts/memory.ts';
import { pool } from './parts/pool.ts';
import { starts } from './parts/starts.ts';
import { suspends } from './parts/suspends.ts';
import { tunnels } from './parts/tunnels.ts';
import { workspace } from './parts/workspace.ts';
import { type Row, table } from './tools/table.ts';
import { prepare } from './tools/world.ts';

/** By the names that a person writes: a bundler gives functions others. */
const PARTS = {
  commands,
  starts,
  pool,
  suspends,
  agent,
  workspace,
  edits,
  'many-files': manyFiles,
  copies,
  memory,
  tunnels,
  interception,
};
const named = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const unknown = named.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) throw new Error(`no part "${unknown}": there are ${Object.keys(PARTS).join(', ')}`);
const world = await prepare();
const rows: Row[] = [];
try {
  for (const [name, part] of Object.entries(PARTS)) {
    if (named.length > 0 && !named.includes(name)) continue;
    process.stderr.write(`bench: ${name}\n`);
    rows.push(...(await part(world)));
  }
} finally {
  await world[Symbol.asyncDispose]();
}

const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()}, Node ${process.versions.node}`;
const version = (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version;
const out = process.argv.includes('--json')
  ? JSON.stringify({ version, machine, date: new Date().toISOString().slice(0, 10), rows }, null, 2)
  : `sbx ${version} on ${machine}\n\n${table(rows)}`;
process.stdout.write(`${out}\n`);
