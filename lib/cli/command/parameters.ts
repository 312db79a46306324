/** Parameters that several commands share, with what shells complete for them. */
import type { SbxContext } from './context.ts';

type Propose = (partial: string) => string[] | Promise<string[]>;

/** Many sandboxes after the flags. */
export const names = (brief: string) => ({ kind: 'array', parameter: sandbox(brief) });

/** At most one sandbox. */
export const maybeName = () => ({ kind: 'tuple', parameters: [{ ...sandbox('The sandbox'), optional: true }] });

/** Exactly one word that is not the name of a sandbox. */
export const word = (brief: string, placeholder: string, proposeCompletions?: Propose) => ({
  kind: 'tuple',
  parameters: [{ parse: String, brief, placeholder, ...(proposeCompletions && { proposeCompletions }) }],
});

/** A parameter that names a sandbox. */
export const sandbox = (brief: string, placeholder = 'name') => ({
  parse: String,
  brief,
  placeholder,
  // Loaded for completion only.
  async proposeCompletions(this: SbxContext, partial: string) {
    return (await import('./sandbox-names.ts')).sandboxNames(this, partial);
  },
});

/** Completes the names of the templates that come with sbx. */
export async function templateNames(partial: string): Promise<string[]> {
  // Loaded for completion only.
  const { builtinTemplates } = await import('../../config/load/templates.ts');
  return (await builtinTemplates()).filter((name) => name.startsWith(partial));
}

export const text = (brief: string) => ({ kind: 'parsed', parse: String, brief, optional: true }) as const;
export const toggle = (brief: string) => ({ kind: 'boolean', brief, default: false }) as const;
export const count = (brief: string) => ({ kind: 'parsed', parse: parseCount, brief, optional: true }) as const;

/** `-y`, for commands that end a VM */
export const YES = toggle('Ask nothing: agree that what runs ends');
/** `-y`, for those that remove a disk as well */
export const YES_TO_DISK = toggle('Ask nothing: agree that disks are lost and that what runs ends');
/** For commands that apply */
export const APPLY_FLAGS = {
  yes: toggle('Ask nothing: disks may be lost and sessions end; changes that widen access are still refused'),
  acceptWidening: toggle('Accept changes that give a sandbox more access'),
};
export const DISCARD = toggle('Also remove what is nowhere else: private files, commits and changes in a clone');
/** For logs that grow */
export const LOG_FLAGS = {
  follow: toggle('Continue as lines arrive'),
  lines: count('Only the last lines'),
};

/** @throws TypeError with the reason that the error of the command line shows. */
function parseCount(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new TypeError('it must be a count, such as 20');
  return Number(value);
}
