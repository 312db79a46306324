/** The one schema of sandbox.toml: the types, the JSON Schema and the reference page come from it. */
import { z } from 'zod';
import {
  absolutePath,
  duration,
  envName,
  envValue,
  globBelow,
  headerFormat,
  headerName,
  host,
  hostAndPort,
  list,
  method,
  NAME,
  name,
  network,
  oneHost,
  packageName,
  pathBelow,
  port,
  secretName,
  size,
  text,
  urlPath,
} from './schema-fields.ts';

export { NAME };

const agentTable = z
  .strictObject({
    name: name.meta({ description: 'What the agent is called' }).optional(),
    command: list(text).min(1).meta({ description: 'Interactive command: program and arguments' }).optional(),
    headless: list(text)
      .min(1)
      .meta({ description: 'Headless command; `{prompt}` is replaced by the prompt' })
      .optional(),
    args: list(text)
      .meta({ description: 'More arguments for both commands, before `{prompt}`', default: [] })
      .optional(),
    mcp_file: text.meta({ description: "The agent's file, inside, that lists MCP servers" }).optional(),
    mcp_format: z.enum(['json', 'toml']).meta({ description: 'Format of that file' }).optional(),
    files: z
      .record(text, envValue)
      .meta({
        description:
          'Files inside, path → content, baked with the packages; `~` is the home folder of the user `agent`. One that begins with `#!` may be run',
      })
      .optional(),
  })
  .meta({
    description: 'The agent itself, for templates; in a project as a table it changes parts of what a template gave',
  });

const image = z
  .strictObject({
    base: text
      .meta({
        description:
          '`debian:<suite>`, `ubuntu:<suite>`, `oci:<registry>/<repo>[:tag|@digest]`, or the path of a root-filesystem tar, from the folder of the file that names it. Default: the release of the host, if it is Debian or Ubuntu',
        default: 'debian:bookworm',
      })
      .optional(),
  })
  .meta({ description: 'What the sandbox is made from' });

const packages = z
  .strictObject({
    apt: list(packageName).meta({ description: 'Packages of the distribution', default: [] }).optional(),
    npm: list(packageName).meta({ description: 'npm packages, installed globally', default: [] }).optional(),
    pip: list(packageName).meta({ description: 'Python packages', default: [] }).optional(),
    setup: list(text)
      .meta({ description: 'Shell lines, run in order as root while the base is baked', default: [] })
      .optional(),
  })
  .meta({ description: 'Installed once, into the base that all sandboxes share' });

const workspace = z
  .strictObject({
    path: text.meta({ description: 'The folder, from the folder of sandbox.toml', default: '.' }).optional(),
    mode: z
      .enum(['mount', 'clone'])
      .meta({
        description: "`mount`: live. `clone`: a private git clone on the VM's own disk, fetched back as a branch",
        default: 'mount',
      })
      .optional(),
    hide: list(globBelow)
      .meta({ description: 'Patterns as in .gitignore: what they match is not visible inside', default: [] })
      .optional(),
    readonly: list(pathBelow)
      .meta({ description: 'Paths that are not writable inside, besides the built-in protected ones', default: [] })
      .optional(),
    unprotect: list(pathBelow)
      .meta({
        description:
          'Built-in protected paths that are writable again. The host may run what the agent writes there: a widening',
        default: [],
      })
      .optional(),
  })
  .meta({ description: 'The only host folder in the sandbox, at the same absolute path' });

const mounts = list(
  z.strictObject({
    host: text.meta({
      description: 'Folder or file of the host, from the folder of the file that names it; `~` is the home folder',
    }),
    guest: absolutePath.meta({ description: 'Where it stands inside' }),
    readonly: z.boolean().meta({ description: 'Not writable inside', default: true }).optional(),
  }),
).meta({ description: 'More folders or files of the host. Each is a widening' });

const networkTable = z
  .strictObject({
    mode: z
      .enum(['enforce', 'observe'])
      .meta({
        description:
          '`observe`: let out all that is public and not denied, and write down what `enforce` would have denied. A widening',
        default: 'enforce',
      })
      .optional(),
    allow: list(network, 10_000)
      .meta({
        description:
          'What may be reached: `host`, `*.host` (one label), `**.host` (any depth), an address or CIDR, each with an optional `:port` or `:from-to` (443 otherwise); or the hosts of the own configuration of npm, APT or pip: `preset:npm`, `preset:apt`, `preset:pip`',
        default: [],
      })
      .optional(),
    deny: list(network, 10_000).meta({ description: 'What may not, whatever `allow` says', default: [] }).optional(),
    bandwidth: size
      .meta({ description: 'Bytes a second each way, of all connections together. Default: no limit' })
      .optional(),
    http: list(
      z.strictObject({
        host: host.meta({ description: 'The host that is narrowed down' }),
        methods: list(method).meta({ description: 'Methods; none: all', default: [] }).optional(),
        paths: list(urlPath).meta({ description: 'Paths, with `*` and `**`; none: all', default: [] }).optional(),
      }),
    )
      .meta({ description: 'Narrower than a host: by method and path. Needs TLS interception for that host' })
      .optional(),
  })
  .meta({ description: 'Default deny; deny wins; order never matters' });

const credentials = list(
  z.strictObject({
    secret: secretName.meta({ description: 'Name of the secret on the host (`sbx secret set`)' }),
    env: envName.meta({ description: 'Variable that holds the placeholder inside' }),
    host: oneHost.meta({
      description:
        'The host that it is sent to, with an optional `:port` (443 otherwise). `[network]` must allow it as well',
    }),
    header: headerName.meta({ description: 'Header that carries it', default: 'authorization' }).optional(),
    format: headerFormat
      .meta({
        description:
          'Value of the header; `{}` is the secret. Behind `Basic ` stands `user:password` in plain text, for git over https: `Basic x-access-token:{}`',
        default: 'Bearer {}',
      })
      .optional(),
  }),
).meta({
  description:
    'A secret of the host for one host outside: the value never enters the sandbox, which sees a placeholder. Each is a widening',
});

const resources = z
  .strictObject({
    cpus: z
      .int()
      .min(1)
      .max(64)
      .meta({ description: 'Virtual processors. Default: 2, or what the host has', default: 2 })
      .optional(),
    memory: size.meta({ description: 'Memory, at least 256MiB', default: '2GiB' }).optional(),
    disk: size.meta({ description: 'Disk, sparse, at least 10GiB', default: '20GiB' }).optional(),
  })
  .meta({ description: 'Size of the machine' });

const docker = z
  .strictObject({
    enabled: z.boolean().meta({ description: 'A Docker engine inside', default: false }).optional(),
  })
  .meta({ description: 'Containers in the sandbox' });

const ports = list(
  z.strictObject({
    guest: port.meta({ description: 'Port inside' }),
    host: port.meta({ description: 'Port on the loopback of the host. Default: the same' }).optional(),
  }),
).meta({ description: "Guest services on the host's loopback" });

const services = list(
  z.strictObject({
    name: name.meta({ description: 'The guest reaches it as `<name>.host.sbx`' }),
    host: hostAndPort.meta({ description: 'Address and port on the host' }),
  }),
).meta({ description: 'Services of the host, for the guest' });

const mcp = z
  .strictObject({
    servers: z
      .record(
        name,
        z.strictObject({
          command: list(text).min(1).meta({ description: 'Program and arguments, run on the host' }),
          tools: list(text).meta({ description: 'Tools that may be called, with `*`; none: all' }).optional(),
        }),
      )
      .meta({ description: 'MCP servers by name' })
      .optional(),
  })
  .meta({ description: 'MCP servers of the host, served through the gateway, filtered and logged' });

const lifecycle = z
  .strictObject({
    restart: z
      .enum(['never', 'on-failure', 'always'])
      .meta({ description: 'Whether a machine that ended by itself is started again', default: 'on-failure' })
      .optional(),
    idle: duration.meta({ description: 'Stop after this long without use; `0`: never', default: '0' }).optional(),
    pool: z.int().min(0).max(16).meta({ description: 'Clones kept resumed and waiting', default: 0 }).optional(),
  })
  .meta({ description: 'When it starts and stops' });

const env = z.record(envName, envValue).meta({ description: 'Environment of every command inside' });

const shared = {
  agent: z
    .union([name, agentTable])
    .meta({ description: '`agent = "<name>"` takes a built-in template by name, like `extends`' })
    .optional(),
  extends: list(text)
    .meta({
      description: 'Templates, merged in order below this file: built-in names, or paths from this file',
      default: [],
    })
    .optional(),
  image: image.optional(),
  packages: packages.optional(),
  workspace: workspace.optional(),
  mounts: mounts.optional(),
  network: networkTable.optional(),
  credentials: credentials.optional(),
  resources: resources.optional(),
  docker: docker.optional(),
  ports: ports.optional(),
  services: services.optional(),
  env: env.optional(),
  mcp: mcp.optional(),
  lifecycle: lifecycle.optional(),
};

const sandbox = z.strictObject({
  ...shared,
  count: z
    .int()
    .min(1)
    .max(100)
    .meta({ description: 'How many alike: `<name>-1`, `<name>-2` …; without it one, called `<name>`' })
    .optional(),
});

export const fileSchema = z
  .strictObject({
    version: z.literal(1).meta({ description: 'Version of this format', default: 1 }).optional(),
    name: name.meta({ description: "The project's name. Default: the folder's" }).optional(),
    ...shared,
    sandboxes: z
      .record(name, sandbox)
      .meta({
        description:
          'Several sandboxes in one project, by name: each overrides the fields above. Without any, the project is one sandbox of its own name',
      })
      .optional(),
  })
  .meta({ title: 'sandbox.toml', description: 'What a project wants of its sandboxes' });

export type SandboxConfig = z.infer<typeof sandbox>;
export type AgentTable = z.infer<typeof agentTable>;
