/** All commands. Their code is loaded when they are called: a start pays for its own command only. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Application, buildApplication, buildRouteMap, type Command, type CommandContext } from '@stricli/core';
import type { SbxContext } from './command/context.ts';
import { usageText } from './command/usage-text.ts';

type Load = () => Promise<Command<CommandContext>>;

const init = () => import('./commands/project/init.ts');
const validate = () => import('./commands/project/validate.ts');
const plan = () => import('./commands/project/plan.ts');
const apply = () => import('./commands/project/apply.ts');
const look = () => import('./commands/sandbox/look.ts');
const run = () => import('./commands/session/run.ts');
const exec = () => import('./commands/session/exec.ts');
const copy = () => import('./commands/session/cp.ts');
const logs = () => import('./commands/session/logs.ts');
const lifecycle = () => import('./commands/sandbox/lifecycle.ts');
const host = () => import('./commands/host/host.ts');
const completion = () => import('./commands/host/completion.ts');
const net = () => import('./commands/net/check.ts');
const secret = () => import('./commands/secret/secret.ts');
const template = () => import('./commands/template/template.ts');

const ROUTES: Record<string, Load> = {
  init: async () => (await init()).init,
  validate: async () => (await validate()).validate,
  plan: async () => (await plan()).plan,
  apply: async () => (await apply()).apply,
  ls: async () => (await look()).ls,
  inspect: async () => (await look()).inspect,
  run: async () => (await run()).runAgent,
  exec: async () => (await exec()).exec,
  shell: async () => (await exec()).shell,
  cp: async () => (await copy()).cp,
  logs: async () => (await logs()).logs,
  stop: async () => (await lifecycle()).stop,
  start: async () => (await lifecycle()).start,
  reset: async () => (await lifecycle()).reset,
  rm: async () => (await lifecycle()).rm,
  doctor: async () => (await host()).doctor,
  gc: async () => (await host()).gc,
  completion: async () => (await completion()).completion,
};

const NESTED: Record<string, { brief: string; routes: Record<string, Load> }> = {
  net: {
    brief: 'What the sandboxes reach, and why',
    routes: {
      log: async () => (await import('./commands/net/log.ts')).log,
      check: async () => (await net()).check,
      allow: async () => (await import('./commands/net/allow.ts')).allow,
      suggest: async () => (await import('./commands/net/suggest.ts')).suggest,
    },
  },
  secret: {
    brief: 'Keys and tokens that stay on the host',
    routes: {
      set: async () => (await secret()).set,
      ls: async () => (await secret()).ls,
      rm: async () => (await secret()).rm,
    },
  },
  template: {
    brief: 'Agents that sbx knows, each a file',
    routes: {
      ls: async () => (await template()).ls,
      show: async () => (await template()).show,
    },
  },
  daemon: {
    brief: 'The background process',
    routes: {
      status: async () => (await host()).daemonStatus,
      stop: async () => (await host()).daemonStop,
      logs: async () => (await logs()).daemonLogs,
    },
  },
};

/** A word is taken for a misspelt one after two or three slips of the finger, not more. */
const CLOSE = { threshold: 4, weights: { insertion: 1, deletion: 1, substitution: 2, transposition: 1 } };

/** The application as far as a command line needs it: with the one command that it names, or with all, for help and for a word that is none. */
export async function appFor(inputs: readonly string[]): Promise<Application<CommandContext>> {
  const words = wordsOf(inputs);
  const [first = '', second] = words;
  const own = Object.hasOwn(ROUTES, first) ? ROUTES[first] : undefined;
  if (own !== undefined) return applicationOf({ [first]: await own() });
  const nested = Object.hasOwn(NESTED, first) ? NESTED[first] : undefined;
  const load = second === undefined ? undefined : nested?.routes[second];
  if (nested === undefined || second === undefined || load === undefined) return wholeApp();
  return applicationOf({
    [first]: buildRouteMap({ routes: { [second]: await load() }, docs: { brief: nested.brief } }),
  });
}

export async function wholeApp(): Promise<Application<CommandContext>> {
  const nested = Object.entries(NESTED).map(async ([name, { brief, routes }]) => {
    return [name, buildRouteMap({ routes: await loadAll(routes), docs: { brief } })] as const;
  });
  return applicationOf({ ...(await loadAll(ROUTES)), ...Object.fromEntries(await Promise.all(nested)) });
}

async function loadAll(routes: Record<string, Load>): Promise<Record<string, Command<CommandContext>>> {
  const loaded = Object.entries(routes).map(async ([name, load]) => [name, await load()] as const);
  return Object.fromEntries(await Promise.all(loaded));
}

function applicationOf(routes: Parameters<typeof buildRouteMap<string, CommandContext>>[0]['routes']) {
  const docs = { brief: 'Runs coding agents unattended and safely, each in its own microVM' };
  return buildApplication(buildRouteMap({ routes, docs }), {
    name: 'sbx',
    versionInfo: { getCurrentVersion: versionOf as () => Promise<string> },
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true, distanceOptions: CLOSE },
    localization: { text: usageText },
  });
}

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
