/** The one schema of sandbox.toml: types, JSON Schema and the reference page come from it. */
import { z } from 'zod';
import { parsePattern } from './network-pattern.ts';
import { parseDuration, parseSize } from './units.ts';

const text = (what: string) =>
  z
    .string()
    .min(1)
    .max(4096)
    .refine((value) => !value.includes('\0'), 'must not hold a NUL character')
    .describe(what);
const list = (what: string) => z.array(text('An entry')).max(1000).describe(what);
const size = (what: string) =>
  z
    .string()
    .refine((value) => parseSize(value) !== undefined, 'must be a size such as "2GiB" or "512MiB"')
    .describe(what);
const duration = (what: string) =>
  z
    .string()
    .refine((value) => parseDuration(value) !== undefined, 'must be a duration such as "2h", "30m" or "0"')
    .describe(what);
const port = z.int().min(1).max(65_535);
const absolute = (what: string) =>
  text(what).refine(
    (value) => value.startsWith('/') && !value.split('/').includes('..'),
    'must be an absolute path without ".."',
  );
const relative = (what: string) =>
  text(what).refine(
    (value) => !value.startsWith('/') && !value.split('/').includes('..'),
    'must be a path below the workspace, without ".."',
  );
const network = z
  .string()
  .refine(
    (value) => parsePattern(value),
    'must be a host, "*.host", "**.host", an address or CIDR, each with an optional ":port", or "preset:npm|apt|pip"',
  );
const packageName = (what: string) =>
  z
    .array(
      text('A package').refine(
        (value) => !value.startsWith('-') && !/\s/.test(value),
        'must be a package name, optionally with a version',
      ),
    )
    .max(1000)
    .describe(what);
const envName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a name of letters, digits and underscores');
export const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
const name = z
  .string()
  .regex(NAME, 'must be 1–40 lower-case letters, digits and hyphens, and neither begin nor end with a hyphen');

const agentTable = z.strictObject({
  name: name.optional().describe('What the agent is called'),
  command: list('Interactive command').optional(),
  headless: list('Headless command; {prompt} is replaced by the prompt').optional(),
  mcp_file: text('File in the sandbox that lists MCP servers').optional(),
  mcp_format: z.enum(['json', 'toml']).describe('Format of that file').optional(),
});

const shared = {
  agent: z
    .union([name, agentTable])
    .describe('A built-in agent template by name (shorthand for extends), or, in a template, the agent itself')
    .optional(),
  extends: list('Templates: built-in names or paths relative to this file').optional(),
  image: z
    .strictObject({
      base: text(
        'debian:<suite>, ubuntu:<suite>, oci:<registry>/<repo>[:tag|@digest], or the path of a root-filesystem tar',
      ).optional(),
    })
    .describe('What the sandbox is made from')
    .optional(),
  packages: z
    .strictObject({
      apt: packageName('Debian packages').optional(),
      npm: packageName('npm packages, installed globally').optional(),
      pip: packageName('Python packages').optional(),
      setup: list('Shell lines, run as root while the base is baked').optional(),
    })
    .describe('Installed once, into the base')
    .optional(),
  workspace: z
    .strictObject({
      path: text('Folder, relative to sandbox.toml').optional(),
      mode: z.enum(['mount', 'clone']).describe('mount: live · clone: a private git clone on the own disk').optional(),
      hide: z.array(relative('A pattern as in .gitignore')).max(1000).describe('Not visible inside').optional(),
      readonly: z
        .array(relative('A path'))
        .max(1000)
        .describe('Not writable inside, besides the built-in protected paths')
        .optional(),
      unprotect: z
        .array(relative('A path'))
        .max(1000)
        .describe('Built-in protected paths that are writable again: the host may run what the agent writes there')
        .optional(),
    })
    .describe('The only host folder in the sandbox, at the same absolute path')
    .optional(),
  mounts: z
    .array(
      z.strictObject({
        host: text('Folder or file on the host; ~ is the home folder'),
        guest: absolute('Where it appears'),
        readonly: z.boolean().describe('Default true').optional(),
      }),
    )
    .max(100)
    .describe('More host folders or files')
    .optional(),
  network: z
    .strictObject({
      mode: z.enum(['enforce', 'observe']).describe('observe: let everything out and write it down').optional(),
      allow: z.array(network).max(10_000).describe('What may be reached; everything else is denied').optional(),
      deny: z.array(network).max(10_000).describe('What may not, whatever allow says').optional(),
      http: z
        .array(
          z.strictObject({
            host: text('Host'),
            methods: list('Methods').optional(),
            paths: list('Paths, with * and **').optional(),
          }),
        )
        .max(1000)
        .describe('Narrower than a host')
        .optional(),
    })
    .describe('Default deny; deny wins; order never matters')
    .optional(),
  credentials: z
    .array(
      z.strictObject({
        secret: text('Name of the secret on the host'),
        env: envName.describe('Variable that holds the placeholder inside'),
        host: text('Host it is sent to'),
        header: text('Header').optional(),
        format: text('Bearer {}').optional(),
      }),
    )
    .max(100)
    .describe('The value stays on the host; the guest sees a placeholder')
    .optional(),
  resources: z
    .strictObject({
      cpus: z.int().min(1).max(64).describe('Virtual processors').optional(),
      memory: size('Memory').optional(),
      disk: size('Disk, sparse').optional(),
    })
    .describe('Size of the machine')
    .optional(),
  docker: z
    .strictObject({ enabled: z.boolean().describe('Docker inside').optional() })
    .describe('Containers in the sandbox')
    .optional(),
  ports: z
    .array(
      z.strictObject({
        guest: port.describe('Port inside'),
        host: port.describe('Port on the loopback of the host').optional(),
      }),
    )
    .max(1000)
    .describe('Guest services on the loopback of the host')
    .optional(),
  services: z
    .array(z.strictObject({ name, host: text('host:port') }))
    .max(100)
    .describe('Services of the host, for the guest')
    .optional(),
  env: z.record(envName, z.string().max(65_536)).describe('Environment of every command').optional(),
  mcp: z
    .strictObject({
      servers: z
        .record(name, z.strictObject({ command: list('Command on the host'), tools: list('Allowed tools').optional() }))
        .optional(),
    })
    .describe('MCP servers of the host')
    .optional(),
  lifecycle: z
    .strictObject({
      restart: z.enum(['never', 'on-failure', 'always']).describe('When the machine has ended by itself').optional(),
      idle: duration('Stop after this long without use; 0 = never').optional(),
      pool: z.int().min(0).max(16).describe('Clones kept resumed and waiting').optional(),
    })
    .describe('When it starts and stops')
    .optional(),
};

const sandbox = z.strictObject({
  ...shared,
  count: z.int().min(1).max(100).describe('How many alike: NAME-1, NAME-2 …').optional(),
});

export const fileSchema = z
  .strictObject({
    version: z.literal(1).describe('Version of this format').optional(),
    name: name.describe("The project's name; default: the folder's").optional(),
    ...shared,
    sandboxes: z
      .record(name, sandbox)
      .describe('More sandboxes in one project: each overrides the fields above')
      .optional(),
  })
  .describe('sandbox.toml');

export type FileConfig = z.infer<typeof fileSchema>;
export type SandboxConfig = z.infer<typeof sandbox>;
export type AgentTable = z.infer<typeof agentTable>;
