/** validate: checks the file, nothing else. */
import { relative } from 'node:path';
import { command } from '../../command/command.ts';
import { readProject } from '../../command/project.ts';

export const validate = command({
  brief: 'Checks sandbox.toml',
  parameters: {},
  async run({ context, cwd, view }) {
    const project = await readProject(context, cwd);
    const file = relative(cwd, project.files[0] ?? '') || 'sandbox.toml';
    const later = project.unsupported.map(
      ({ path, source }) => `  ${path} (line ${source.line}) is valid but not supported yet`,
    );
    view.result(
      { valid: true, project },
      [`${file} is valid: ${project.sandboxes.map(({ name }) => name).join(', ')}`, ...later].join('\n'),
    );
    return 0;
  },
});
