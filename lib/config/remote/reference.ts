/** Reads references to templates in git repositories: `git+https://host/team/sbx#v3:node.toml`. */
import { type Place, SbxError } from '../../errors.ts';

export interface GitReference {
  /** As it is written: the key in sandbox.lock */
  text: string;
  scheme: 'https' | 'ssh' | 'file';
  /** For git */
  url: string;
  /** A branch, a tag or a commit */
  revision: string;
  /** Relative to the top of the repository */
  path: string;
}

const FORM = /^git\+(https|ssh|file):\/\/([^#\s]+)#([^:#\s]+):([^#\s]+)$/;
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/;
/** No name that git or a shell could take for an option or for its own folder */
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const USER = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const EXAMPLE = 'git+https://git.example.com/team/sbx#v3:node.toml';

export function isGitReference(text: string): boolean {
  return /^git\+/.test(text);
}

/** @throws SbxError `config-invalid` */
export function parseGitReference(text: string, place: Place): GitReference {
  const [, scheme, address = '', revision = '', path = ''] = FORM.exec(text) ?? [];
  const refuse = (why: string) =>
    new SbxError('config-invalid', `not the reference of a template: ${shown(text)}`, {
      place,
      why,
      hint: `write it like ${EXAMPLE}: the repository, a tag, branch or commit, and the file`,
    });
  if (scheme !== 'https' && scheme !== 'ssh' && scheme !== 'file')
    throw refuse(
      'it must be git+https://, git+ssh:// or git+file://, with "#" before the revision and ":" before the file',
    );
  const url = `${scheme}://${address}`;
  const why =
    faultOf(url, scheme) ?? (isRevision(revision) ? undefined : `"${revision}" is not the name of a revision`);
  if (why !== undefined) throw refuse(why);
  if (!path.endsWith('.toml') || !path.split('/').every((name) => SEGMENT.test(name)))
    throw refuse(`"${path}" is not the path of a TOML file in the repository`);
  return { text, scheme, url, revision, path };
}

/** A password in it would be shown; the error of one must not show it either. */
function shown(text: string): string {
  return text.replace(/\/\/[^/@]*@/, '//…@');
}

function faultOf(url: string, scheme: GitReference['scheme']): string | undefined {
  if (!URL.canParse(url)) return 'its address is not valid';
  const { hostname, username, password, search, pathname } = new URL(url);
  if (password !== '' || (username !== '' && scheme !== 'ssh'))
    return 'it has a user or a password in it: git asks its credential helper, or the ssh agent';
  if (username !== '' && !USER.test(username)) return 'its user is not valid';
  if (search !== '' || pathname.length < 2 || /%|\/\.\.(\/|$)/.test(url)) return 'its path is not plain';
  if (scheme === 'file') return hostname === '' ? undefined : 'a file has no host: write git+file:///path';
  return /^[A-Za-z0-9[]/.test(hostname) ? undefined : 'its host is not valid';
}

function isRevision(text: string): boolean {
  return REVISION.test(text) && !/\.\.|\/\/|\.lock$|[/.]$/.test(text);
}
