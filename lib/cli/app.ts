/** All commands, loaded when called. */
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
import * as secret from './commands/secret.ts';
import * as validate from './commands/validate.ts';

const routes: Record<string, Command<CommandContext>> = {
  init: init.init,
  validate: validate.validate,
  plan: plan.plan,
  apply: apply.apply,
  ls: look.ls,
  inspect: look.inspect,
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

export const app = buildApplication(
  buildRouteMap({
    routes: {
      ...routes,
      net: buildRouteMap({
        routes: { log: netLog, check: net.check, allow, suggest },
        docs: { brief: 'What the sandboxes reach, and why' },
      }),
      secret: buildRouteMap({
        routes: { set: secret.set, ls: secret.ls, rm: secret.rm },
        docs: { brief: 'Keys and tokens that stay on the host' },
      }),
      daemon: buildRouteMap({
        routes: { status: host.daemonStatus, stop: host.daemonStop, logs: logs.daemonLogs },
        docs: { brief: 'The background process' },
      }),
    },
    docs: { brief: 'Runs coding agents unattended and safely, each in its own microVM' },
  }),
  {
    name: 'sbx',
    versionInfo: { currentVersion: '0.1.0' },
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
  },
);
