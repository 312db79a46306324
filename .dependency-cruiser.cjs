/** Imports run downwards only: cli → daemon → machines → plan → config; handlers → vm, image, gateway, workspace → guest → errors, paths. */
const layer = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: `^lib/${from}/` },
  to: { path: '^lib/', pathNot: [`^lib/${from}/`, '^lib/[a-z-]+\\.ts$', ...allowed.map((a) => `^lib/${a}/`)] },
});
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependencies-in-lib',
      severity: 'error',
      from: { path: '^lib' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'root-modules-import-no-layer',
      severity: 'error',
      from: { path: '^lib/[a-z-]+\\.ts$' },
      to: { path: '^lib/[a-z]+/' },
    },
    {
      name: 'xstate-in-machines-only',
      severity: 'error',
      from: { path: '^lib', pathNot: '^lib/machines/' },
      to: { path: 'node_modules/xstate' },
    },
    {
      name: 'cosmiconfig-in-config-only',
      severity: 'error',
      from: { path: '^lib', pathNot: '^lib/config/' },
      to: { path: 'node_modules/cosmiconfig' },
    },
    {
      name: 'ora-in-cli-only',
      severity: 'error',
      from: { path: '^lib', pathNot: '^lib/cli/' },
      to: { path: 'node_modules/ora' },
    },
    layer('config-layer', 'config', []),
    layer('plan-layer', 'plan', ['config']),
    layer('machines-layer', 'machines', ['plan', 'config']),
    layer('guest-layer', 'guest', []),
    layer('gateway-layer', 'gateway', []),
    layer('workspace-layer', 'workspace', []),
    layer('vm-layer', 'vm', ['guest']),
    layer('image-layer', 'image', ['vm', 'guest', 'gateway']),
    layer('daemon-layer', 'daemon', ['machines', 'plan', 'config', 'vm', 'image', 'gateway', 'workspace', 'guest']),
    layer('cli-layer', 'cli', ['daemon', 'plan', 'config', 'guest', 'gateway', 'image', 'vm', 'workspace']),
    {
      name: 'guest-agent-stands-alone',
      severity: 'error',
      from: { path: '^lib/guest/agent/' },
      to: { path: '^lib/', pathNot: ['^lib/guest/', '^lib/[a-z-]+\\.ts$'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
