/** Checks imports between rooms (folders of lib/). scripts/rooms.json lists each room and the rooms it may import; files at the top of lib/ are free to all. */
const rooms = require('./scripts/rooms.json');

const exactly = (room) => `^lib/${room}/[^/]+$`;
const roomRules = Object.entries(rooms).map(([room, allowed]) => ({
  name: `room-${room.replaceAll('/', '-')}`,
  severity: 'error',
  from: { path: exactly(room) },
  to: { path: '^lib/', pathNot: ['^lib/[^/]+$', exactly(room), ...allowed.map(exactly)] },
}));
/** A library that only some rooms may import. */
const only = (library, folder) => ({
  name: `${library.replace(/\W/g, '-')}-in-${folder}-only`,
  severity: 'error',
  from: { path: '^lib', pathNot: `^lib/${folder}/` },
  to: { path: `node_modules/${library}` },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-cycles-of-rooms', severity: 'error', scope: 'folder', from: { path: '^lib/' }, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'room-is-listed',
      severity: 'error',
      from: { path: '^lib/.+/', pathNot: Object.keys(rooms).map(exactly) },
      to: {},
    },
    { name: 'top-imports-no-room', severity: 'error', from: { path: '^lib/[^/]+$' }, to: { path: '^lib/.+/' } },
    {
      name: 'no-dev-dependencies-in-lib',
      severity: 'error',
      from: { path: '^lib' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    only('xstate', 'reconcile'),
    only('cosmiconfig', 'config'),
    only('ora', 'cli'),
    only('@napi-rs/keyring', 'secrets'),
    ...roomRules,
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
