/** Runs all checks of the host, each with its fix; the set-up scripts use them as well. */
import type { Home } from '../../paths.ts';
import type { CheckResult } from './check-result.ts';
import { accelerator, subordinateIds, userNamespaces } from './isolation.ts';
import { diskSpace, socketLength, stateFolder } from './state.ts';
import { aptSources, toolChecks } from './tools.ts';

export async function runChecks(home: Home): Promise<CheckResult[]> {
  return [
    ...toolChecks(),
    await userNamespaces(),
    subordinateIds(),
    await aptSources(),
    await stateFolder(home),
    await diskSpace(home),
    socketLength(home),
    await accelerator(),
  ];
}
