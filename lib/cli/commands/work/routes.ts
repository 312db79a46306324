/** The commands for the work of a sandbox, and for what it may do with its workspace. */
import { command } from '../../command/command.ts';
import { maybeName, sandbox, text, toggle } from '../../command/parameters.ts';

export const workRoutes = {
  fetch: command({
    brief: 'Fetches the commits of a clone into the branch sbx/NAME of this repository',
    parameters: {
      flags: {
        revision: text('Branch, tag or commit in the sandbox; default: HEAD'),
        force: toggle('Replace the branch if it has other commits'),
      },
      positional: maybeName(),
    },
    load: async () => (await import('./fetch.ts')).fetch,
  }),
  accept: command({
    brief: 'Takes private changes of a sandbox over to the host, after it has shown each',
    parameters: {
      flags: {
        yes: toggle('Ask nothing; what programs of the host run or obey is still refused'),
        acceptProtected: toggle('Accept what programs of the host run or obey'),
      },
      positional: { kind: 'array', parameter: { parse: String, brief: 'The sandbox, and paths', placeholder: 'path' } },
    },
    load: async () => (await import('./accept.ts')).accept,
  }),
  diff: command({
    brief: 'Shows what a sandbox has that the host has not: its private files, or the work in its clone',
    parameters: {
      flags: { patch: toggle('Of a clone: only the changes, in full, for `git apply`') },
      positional: {
        kind: 'tuple',
        parameters: [
          { ...sandbox('The sandbox'), optional: true },
          { parse: String, brief: 'Only at and below this path', placeholder: 'path', optional: true },
        ],
      },
    },
    load: async () => (await import('./diff.ts')).diff,
  }),
};

export const workspaceRoutes = {
  check: command({
    brief: 'Shows what a sandbox may do with a path, and the rule',
    parameters: {
      positional: {
        kind: 'tuple',
        parameters: [
          { parse: String, brief: 'Path on the host', placeholder: 'path' },
          { ...sandbox('The sandbox'), optional: true },
        ],
      },
    },
    load: async () => (await import('./check.ts')).check,
  }),
};
