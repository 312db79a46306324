/** The one schema of sandbox.toml: the types, the JSON Schema and the reference page come from it. */
import { z } from 'zod';
import { agentTable } from './agent.ts';
import {
  absolutePath,
  duration,
  envName,
  envValue,
  globBelow,
  list,
  NAME,
  name,
  packageName,
  pathBelow,
  size,
  text,
} from './fields.ts';
import { credentials, mcp, networkTable, ports, services } from './network.ts';

export { NAME };

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

const lifecycle = z
  .strictObject({
    restart: z
      .enum(['never', 'on-failure', 'always'])
      .meta({ description: 'Whether a machine that ended by itself is started again', default: 'on-failure' })
      .optional(),
    idle: duration
      .meta({
        description: 'Stop after this long without a command or a session of the agent; `0`: never',
        default: '0',
      })
      .optional(),
    pool: z
      .int()
      .min(0)
      .max(16)
      .meta({ description: 'Clones kept resumed and waiting: a fresh sandbox takes one', default: 0 })
      .optional(),
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
