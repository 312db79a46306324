/** Reason and message of the condition `Workspace`. Pure. */
import type { WorkspaceState } from '../../workspace/client/workspace-state.ts';

export function workspaceCondition(state: WorkspaceState, name: string): [reason: string, message: string] {
  switch (state.is) {
    case 'served':
      return ['Served', 'the workspace server serves its folders'];
    case 'gone':
      return [
        'FolderGone',
        `${state.path} was moved or deleted. The sandbox keeps the folder that it had: move it back, or run \`sbx rm ${name}\``,
      ];
    case 'replaced':
      return [
        'FolderReplaced',
        `${state.path} is another folder now. The sandbox keeps the earlier one: \`sbx restart ${name}\` serves the new one`,
      ];
    case 'lost':
      return ['ServerLost', 'the workspace server has ended and is started again; see `sbx daemon logs`'];
  }
}
