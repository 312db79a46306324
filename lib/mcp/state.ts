/** The state that the gateway of a sandbox writes for `sbx mcp`. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const state = z.object({
  servers: z.array(
    z.object({
      name: z.string(),
      /** Why it does not run */
      problem: z.string().optional(),
      tools: z.array(
        z.object({
          name: z.string(),
          hash: z.string(),
          state: z.enum(['offered', 'changed', 'new', 'filtered', 'bad-name']),
          /** Name for the sandbox */
          as: z.string().optional(),
          description: z.string(),
        }),
      ),
    }),
  ),
});

export type McpState = z.infer<typeof state>;

/** No servers where the file is absent or damaged: the next listing writes it again. */
export function readState(path: string): McpState {
  try {
    return state.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return { servers: [] };
  }
}
