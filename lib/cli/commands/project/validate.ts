/** `sbx validate`: checks the file and changes nothing. */
import { relative } from 'node:path';
import { noticeLines } from '../../command/apply-project.ts';
import type { Run } from '../../command/command.ts';
import { readProject } from '../../command/project.ts';
import { withTemplates } from '../../command/with-templates.ts';

export async function validate({ context, cwd, view }: Run): Promise<number> {
  const project = await withTemplates({ context, cwd, view, pin: false }, () => readProject(context, cwd));
  const file = relative(cwd, project.files[0] ?? '') || 'sandbox.toml';
  const lines = [
    `${file} is valid: ${project.sandboxes.map(({ name }) => name).join(', ')}`,
    ...noticeLines(project.warnings ?? []),
  ];
  view.result({ valid: true, project }, lines.join('\n'));
  return 0;
}
