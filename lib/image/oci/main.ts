/** The process that merges the layers of an image, in its jail. Its one argument is the job as JSON. */
import { type MergeJob, mergeLayers } from './merge-layers.ts';

try {
  await mergeLayers(JSON.parse(process.argv[2] ?? '') as MergeJob);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
