/** The value types of the schema; each message says what is valid. */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { PRESETS, parsePattern } from '../../spec/network-pattern.ts';
import { DURATION, SIZE } from '../../spec/units.ts';

export const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** Text that must pass a check; `hint` says what to write instead. */
function checked(is: (value: string) => boolean, message: string, hint: string) {
  return text.refine(is, { message, params: { hint } });
}

// A NUL would end the argument or path that the text becomes.
export const text = z
  .string()
  .min(1)
  .max(4096)
  .refine((value) => !value.includes('\0'), {
    message: 'must not contain the character U+0000',
    params: { hint: 'remove it' },
  });

export const name = z
  .string()
  .regex(NAME, 'must be 1–40 lower-case letters, digits and hyphens, and must not begin or end with a hyphen');

export const size = z.string().regex(SIZE, 'must be a number with the unit KiB, MiB, GiB or TiB, such as "2GiB"');

export const duration = z.string().regex(DURATION, 'must be a number with the unit s, m, h or d, such as "2h", or "0"');

export const port = z.int().min(1).max(65_535);

export const ipAddress = checked(
  (value) => isIP(value) !== 0 && !value.includes('%'),
  'must be an IP address',
  'write an address of this host, such as "192.168.1.20", "0.0.0.0" or "::"',
);

export const envName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and underscores, and must not begin with a digit');

export const envValue = z
  .string()
  .max(65_536)
  .refine((value) => !value.includes('\0'), {
    message: 'must not contain the character U+0000',
    params: { hint: 'remove it' },
  });

export const network = checked(
  parsePattern,
  'is not a network pattern',
  `write a host ("api.github.com"), "*.host", "**.host", an address or CIDR, each with an optional ":port" or ":from-to", or "preset:npm" (${PRESETS.slice(1).join(', ')})`,
);

export const host = checked(
  (value) => parsePattern(value) && !/^preset:|\*|\//.test(value),
  'must be one host',
  'write a host such as "api.github.com", without a scheme, wildcard or path',
);

export const oneHost = checked(
  (value) => parsePattern(value) && !/^preset:|\*|\/|:\d+-/.test(value),
  'must be one host',
  'write a host such as "api.github.com" or "git.example.com:8443", without a scheme, wildcard or path',
);

export const secretName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be 1–64 letters, digits, dots, hyphens and underscores, and begin with a letter or digit',
  );

/** An address of the host with a port, or the path of a Unix socket */
export const serviceHost = checked(
  (value) => /^~?\/[^/]/.test(value) || isServiceAddress(value),
  'must be an address of the host with a port, or the path of a Unix socket',
  'write "127.0.0.1:5432", "localhost:5432", "[::1]:5432", "/run/postgresql/.s.PGSQL.5432" or "~/app.sock"; another machine belongs to [network] allow',
);

function isServiceAddress(text: string): boolean {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/.exec(text) ?? [];
  if (Number(digits) > 65_535) return false;
  // The unspecified addresses are for listening.
  if (plain === '0.0.0.0' || bracketed === '::') return false;
  return bracketed === undefined ? plain === 'localhost' || isIPv4(plain ?? '') : isIPv6(bracketed);
}

export const packageName = checked(
  (value) => /^[^\s\p{C}-][^\s\p{C}]*$/u.test(value),
  'is not a package name',
  'write a name without spaces, optionally with a version, one entry for each package',
);

export const absolutePath = checked(
  (value) => value.startsWith('/') && !value.split('/').includes('..'),
  'must be an absolute path',
  'write a path that begins with / and contains no ".."',
);

export const homePath = checked(
  (value) => /^~\/[^/]/.test(value) && !value.split('/').some((part) => part === '..' || part === '.'),
  'must be a path below the home folder',
  'write a path such as "~/.claude", without ".."',
);

export const pathBelow = checked(
  (value) => !value.startsWith('~') && !value.split('/').includes('..') && !/^\/|^\.?\/?$/.test(value),
  'must be a path below the workspace',
  'write a path relative to the workspace, without ".." and without a leading /',
);

export const globBelow = checked(
  (value) => !value.startsWith('~') && !value.split('/').includes('..') && !/^[./*]*$/.test(value),
  'must be a pattern below the workspace',
  'write a name or a pattern as in .gitignore, such as ".env", "*.pem" or "secrets/**"',
);

export const method = z.string().regex(/^[A-Z]+$/, 'must be an HTTP method in capital letters, such as "GET"');

export const urlPath = checked(
  (value) => value.startsWith('/') && !/[\s?#]/.test(value),
  'must be a path',
  'write a path such as "/repos/acme/**"',
);

export const headerName = z.string().regex(/^[A-Za-z0-9-]{1,100}$/, 'must be a header name, such as "x-api-key"');

export const headerFormat = checked(
  (value) => value.split('{}').length === 2 && /^[\x20-\x7e]+$/.test(value),
  'must be one line that contains {} once, in place of the secret',
  'write "Bearer {}", "{}", or "Basic x-access-token:{}"',
);

export const list = <T extends z.ZodType>(entry: T, most = 1000) => z.array(entry).max(most);
