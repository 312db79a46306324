/** Parses references to images: `[registry/]repository[:tag][@digest]`. Pure. */
import { SbxError } from '../errors.ts';

export interface ImageReference {
  /** Host, with an optional `:port`; undefined: the name is unqualified, as in `debian:12` */
  registry: string | undefined;
  repository: string;
  tag: string | undefined;
  /** `sha256:` and 64 hexadecimal digits */
  digest: string | undefined;
}

const COMPONENT = '[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*';
const HOST = '(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?';
const PATTERN = new RegExp(
  `^(?:(${HOST})/)??(${COMPONENT}(?:/${COMPONENT})*)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
);
const LENGTH_MAX = 512;

/** @throws SbxError `registry`. Without a tag and a digest the tag is `latest`. */
export function parseReference(text: string): ImageReference {
  const parts = text.length > LENGTH_MAX ? null : PATTERN.exec(text);
  if (parts === null) throw invalid(text);
  const [, host, path = '', tag, digest] = parts;
  const [first = '', ...rest] = path.split('/');
  // Docker's rule: a first part with a dot or a port, or `localhost`, is a host.
  const isHost = host === undefined && rest.length > 0 && (first.includes('.') || first === 'localhost');
  const registry = isHost ? first : host;
  if (registry !== undefined && !isHost && !/[.:]|^localhost$/.test(registry)) throw invalid(text);
  if (registry !== undefined && !URL.canParse(`https://${registry}`)) throw invalid(text);
  return {
    registry,
    repository: isHost ? rest.join('/') : path,
    tag: tag ?? (digest === undefined ? 'latest' : undefined),
    digest,
  };
}

export function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

/** As it was written, with a digest in place of the tag. */
export function pinnedReference(text: string, digest: string): string {
  const { registry, repository } = parseReference(text);
  return `${registry === undefined ? '' : `${registry}/`}${repository}@${digest}`;
}

function invalid(text: string): SbxError {
  return new SbxError('registry', `invalid image reference "${text.slice(0, 100)}"`, {
    hint: 'write "registry.example.com/team/image:tag" or "…/image@sha256:<64 hexadecimal digits>", in lower case',
  });
}
