/** All commands, loaded when called. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildApplication, buildRouteMap, type Command, type CommandContext } from '@stricli/core';
import * as apply from './commands/apply.ts';
import { completion } from './commands/completion.ts';
import * as copy from './commands/cp.ts';
import * as exec from './commands/exec.ts';
import * as host from './commands/host.ts';
import * as init from './commands/init.ts';
import * as lifecycle from './commands/lifecycle.ts';
import * as logs from './commands/logs.ts';
import * as look from './commands/look.ts';
import * as net from './commands/net.ts';
import { allow } from './commands/net-allow.ts';
import { log as netLog } from './commands/net-log.ts';
import { suggest } from './commands/net-suggest.ts';
import * as plan from './commands/plan.ts';
import { runAgent } from './commands/run.ts';
import * as secret from './commands/secret.ts';
import * as template from './commands/template.ts';
import * as validate from './commands/validate.ts';
import type { SbxContext } from './context.ts';
import { usageText } from './usage-text.ts';

type Routes = Record<string, Command<CommandContext>>;

const ROUTES: Routes = {
  init: init.init,
  validate: validate.validate,
  plan: plan.plan,
  apply: apply.apply,
  ls: look.ls,
  inspect: look.inspect,
  run: runAgent,
  exec: exec.exec,
  shell: exec.shell,
  cp: copy.cp,
  logs: logs.logs,
  stop: lifecycle.stop,
  start: lifecycle.start,
  reset: lifecycle.reset,
  rm: lifecycle.rm,
  doctor: host.doctor,
  gc: host.gc,
  completion,
};

const NESTED: Record<string, { brief: string; routes: Routes }> = {
  net: {
    brief: 'What the sandboxes reach, and why',
    routes: { log: netLog, check: net.check, allow, suggest },
  },
  secret: {
    brief: 'Keys and tokens that stay on the host',
    routes: { set: secret.set, ls: secret.ls, rm: secret.rm },
  },
  template: {
    brief: 'Agents that sbx knows, each a file',
    routes: { ls: template.ls, show: template.show },
  },
  daemon: {
    brief: 'The background process',
    routes: { status: host.daemonStatus, stop: host.daemonStop, logs: logs.daemonLogs },
  },
};

/** A word is taken for a misspelt one after two or three slips of the finger, not more. */
const CLOSE = { threshold: 4, weights: { insertion: 1, deletion: 1, substitution: 2, transposition: 1 } };

export const app = buildApplication(
  buildRouteMap({
    routes: {
      ...ROUTES,
      ...Object.fromEntries(
        Object.entries(NESTED).map(([name, { brief, routes }]) => [name, buildRouteMap({ routes, docs: { brief } })]),
      ),
    },
    docs: { brief: 'Runs coding agents unattended and safely, each in its own microVM' },
  }),
  {
    name: 'sbx',
    versionInfo: { getCurrentVersion: versionOf as () => Promise<string> },
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true, distanceOptions: CLOSE },
    localization: { text: usageText },
  },
);

/** The words of a command line that name a command: `net`, `log`. */
export function wordsOf(inputs: readonly string[]): string[] {
  const [first = '', second = ''] = inputs;
  if (Object.hasOwn(ROUTES, first)) return [first];
  const nested = Object.hasOwn(NESTED, first) ? NESTED[first] : undefined;
  if (nested === undefined) return [];
  return Object.hasOwn(nested.routes, second) ? [first, second] : [first];
}

/** Every command, as its words. */
export function allCommands(): string[][] {
  const nested = Object.entries(NESTED).flatMap(([name, { routes }]) =>
    Object.keys(routes).map((word) => [name, word]),
  );
  return [...Object.keys(ROUTES).map((word) => [word]), ...nested];
}

async function versionOf(this: SbxContext): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(this.distDir, 'build.json'), 'utf8')) as { version: string };
  return version;
}
