/** All commands and the application that parses a command line for them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildApplication, buildRouteMap, type CommandContext } from '@stricli/core';
import type { DescribedCommand } from './command/command.ts';
import type { SbxContext } from './command/context.ts';
import { usageText } from './command/usage-text.ts';
import { daemonRoutes, hostRoutes } from './commands/host/routes.ts';
import { lifecycleRoutes } from './commands/lifecycle/routes.ts';
import { mcpRoutes } from './commands/mcp/routes.ts';
import { netRoutes } from './commands/net/routes.ts';
import { projectRoutes } from './commands/project/routes.ts';
import { sandboxRoutes, snapshotRoutes } from './commands/sandbox/routes.ts';
import { secretRoutes } from './commands/secret/routes.ts';
import { sessionRoutes } from './commands/session/routes.ts';
import { templateRoutes } from './commands/template/routes.ts';
import { workRoutes, workspaceRoutes } from './commands/work/routes.ts';

type Routes = Record<string, DescribedCommand>;

const ROUTES: Routes = {
  ...projectRoutes,
  ...sandboxRoutes,
  ...lifecycleRoutes,
  ...sessionRoutes,
  ...workRoutes,
  ...hostRoutes,
};

const GROUPS: Record<string, { brief: string; routes: Routes }> = {
  net: { brief: 'Network access of the sandboxes, with reasons', routes: netRoutes },
  mcp: { brief: 'Tools of MCP servers that run on this host', routes: mcpRoutes },
  snapshot: { brief: 'Named states of the disk of a sandbox', routes: snapshotRoutes },
  workspace: { brief: 'What the sandboxes may do in the project folder', routes: workspaceRoutes },
  secret: { brief: 'Keys and tokens that stay on the host', routes: secretRoutes },
  template: { brief: 'Agents that sbx supports, one file each', routes: templateRoutes },
  daemon: { brief: 'The background process', routes: daemonRoutes },
};

/** A word counts as a misspelt command after at most two or three typing errors. */
const CLOSE = { threshold: 4, weights: { insertion: 1, deletion: 1, substitution: 2, transposition: 1 } };

const groups = Object.entries(GROUPS).map(
  ([name, { brief, routes }]) => [name, buildRouteMap({ routes, docs: { brief } })] as const,
);

export const app = buildApplication<CommandContext>(
  buildRouteMap({
    routes: { ...ROUTES, ...Object.fromEntries(groups) },
    docs: { brief: 'Runs coding agents unattended and safely, each in its own microVM' },
  }),
  {
    name: 'sbx',
    versionInfo: { getCurrentVersion: versionOf as () => Promise<string> },
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true, distanceOptions: CLOSE },
    documentation: { onlyRequiredInUsageLine: true },
    localization: { text: usageText },
  },
);

/** The words of a command line that name a command: `net`, `log`. */
export function wordsOf(inputs: readonly string[]): string[] {
  const [first = '', second = ''] = inputs;
  if (Object.hasOwn(ROUTES, first)) return [first];
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined;
  if (group === undefined) return [];
  return Object.hasOwn(group.routes, second) ? [first, second] : [first];
}

/** Every command, as its words. */
export function allCommands(): string[][] {
  return [...describedCommands().keys()].map((words) => words.split(' '));
}

/** Each command, by its words. */
export function describedCommands(): Map<string, DescribedCommand> {
  const nested = Object.entries(GROUPS).flatMap(([name, { routes }]) =>
    Object.entries(routes).map(([word, found]) => [`${name} ${word}`, found] as const),
  );
  return new Map([...Object.entries(ROUTES), ...nested]);
}

/** What each command does, by its words. */
export function briefs(): Map<string, string> {
  return new Map([...describedCommands()].map(([words, { brief }]) => [words, brief]));
}

async function versionOf(this: SbxContext): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(this.distDir, 'build.json'), 'utf8')) as { version: string };
  return version;
}
