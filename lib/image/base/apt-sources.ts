/** Reads the mirrors of this host's own APT configuration as lines of a sources.list for a wanted suite. */
import { readFile } from 'node:fs/promises';
import { SbxError } from '../../errors.ts';
import { run } from '../../system/run-tool.ts';
import { memoByFiles } from '../store/memo.ts';

interface Target {
  uri: string;
  release: string;
  component: string;
}

const FORMAT = '$(REPO_URI)|$(RELEASE)|$(COMPONENT)';

/**
 * Lines such as `deb URI SUITE main`, for the suite itself and its `-updates` and `-security` pockets.
 * A host of the same distribution but another release gives its mirrors; the suite is put in.
 * @throws SbxError `image-source` when the host's configuration names no mirror of the distribution.
 */
export const aptSourcesFor = memoByFiles(
  ['/etc/apt/sources.list', '/etc/apt/sources.list.d', '/etc/apt/apt.conf.d', '/etc/os-release'],
  findSources,
);

async function findSources(distribution: 'debian' | 'ubuntu', suite: string): Promise<string[]> {
  const override = process.env['SBX_APT_MIRROR'];
  if (override) return [`deb ${override} ${suite} main`];
  const output = await run('apt-get', [
    'indextargets',
    '--no-release-info',
    '--format',
    FORMAT,
    'Created-By: Packages',
  ]);
  const codename = await hostCodename();
  const own = parseTargets(output).filter(
    (target) => codename.length > 0 && pocketOf(target.release, codename) !== undefined,
  );
  const lines = new Map<string, Set<string>>();
  for (const target of own) {
    const pocket = pocketOf(target.release, codename) ?? '';
    const key = `deb ${target.uri} ${suite}${pocket}`;
    lines.set(key, (lines.get(key) ?? new Set()).add(target.component));
  }
  const hostIs = (await osRelease())['ID'];
  if (lines.size === 0 || hostIs !== distribution) {
    throw new SbxError('image-source', `no mirror known for ${distribution}:${suite}`, {
      why: `the host's APT configuration names none (the host is ${hostIs ?? 'unknown'})`,
      hint: 'set SBX_APT_MIRROR to the address of a mirror, or use a root-filesystem tar as [image] base',
    });
  }
  return [...lines].map(([line, components]) => `${line} ${[...components].join(' ')}`);
}

function parseTargets(output: string): Target[] {
  return output.split('\n').flatMap((line) => {
    const [uri, release, component] = line.split('|');
    return uri && release && component ? [{ uri, release, component }] : [];
  });
}

/** `''`, `-updates`, `-security`: what follows the codename; undefined for another repository's suite */
function pocketOf(release: string, codename: string): string | undefined {
  if (!release.startsWith(codename)) return undefined;
  const pocket = release.slice(codename.length);
  return ['', '-updates', '-security'].includes(pocket) ? pocket : undefined;
}

async function hostCodename(): Promise<string> {
  return (await osRelease())['VERSION_CODENAME'] ?? '';
}

async function osRelease(): Promise<Record<string, string>> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).replace(/^"|"$/g, '')]];
    }),
  );
}
