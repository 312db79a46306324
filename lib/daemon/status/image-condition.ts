/** The condition `ImageReady`: what becomes of the image that a sandbox's next disk starts from. Pure. */
import type { Condition } from '../../api/sandbox-status.ts';
import type { NewImage } from '../../engine/engine.ts';

/** Characters of what is built, and of why it was not: a line of `setup` may be long, and so may the last lines of a bake */
const DOING_MAX = 120;
const ERROR_MAX = 400;

const DIFFERENCE = { packages: 'the packages that were installed in it', size: 'its new size' };

/** None where the sandbox's own image is the newest. `now`: ISO 8601 */
export function imageCondition(image: NewImage | undefined, now: string): Condition[] {
  if (image === undefined) return [];
  const [reason, message] = textOf(image);
  return [{ type: 'ImageReady', status: false, reason, message, since: image.is === 'waiting' ? now : image.since }];
}

function textOf(image: NewImage): [reason: string, message: string] {
  const what = `an image with ${DIFFERENCE[image.reason]}`;
  switch (image.is) {
    case 'waiting':
      return ['Waiting', `${what} is to be built in the background, after other builds`];
    case 'building': {
      const doing = image.doing === '' ? '' : `: ${inOneLine(image.doing, DOING_MAX)}`;
      return ['Building', `${what} is built in the background${doing}. \`sbx reset\` and new clones start from it`];
    }
    case 'failed':
      return [
        'BuildFailed',
        `${what} was not built: ${inOneLine(image.error, ERROR_MAX)}. It is tried again every 10 minutes while the sandbox runs; \`sbx logs --bake\` shows the build: correct [packages] and run \`sbx apply\``,
      ];
  }
}

function inOneLine(text: string, max: number): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, max);
}
