/** The schema of sandbox.toml, source of the types, the JSON Schema and the reference page. */
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
          '`debian:<suite>`, `ubuntu:<suite>`, `oci:[<registry>/]<repository>[:tag][@digest]` (an image of a registry), or the path of a root-filesystem tar, relative to the file that sets it. Default: the release of the host, if it is Debian or Ubuntu',
        default: 'debian:bookworm',
      })
      .optional(),
  })
  .meta({ description: 'Base image of the sandbox' });

const packages = z
  .strictObject({
    apt: list(packageName).meta({ description: 'Packages of the distribution', default: [] }).optional(),
    npm: list(packageName).meta({ description: 'npm packages, installed globally', default: [] }).optional(),
    pip: list(packageName).meta({ description: 'Python packages', default: [] }).optional(),
    setup: list(text)
      .meta({
        description:
          'Shell lines, run in order as root when the image is built; lines added at the end also run in a running sandbox, once',
        default: [],
      })
      .optional(),
  })
  .meta({
    description:
      'Packages, installed into the image that all sandboxes share; what is added later, also in the running sandbox',
  });

const workspace = z
  .strictObject({
    path: text.meta({ description: 'The folder, relative to sandbox.toml', default: '.' }).optional(),
    mode: z
      .enum(['mount', 'clone'])
      .meta({
        description:
          "`mount`: the folder itself, live. `clone`: a private git clone on the VM's own disk, fetched back as a branch",
        default: 'mount',
      })
      .optional(),
    uncommitted: z
      .boolean()
      .meta({
        description: 'Mode `clone`: the clone is made with changed and new files that are in no commit, too',
        default: false,
      })
      .optional(),
    hide: list(globBelow)
      .meta({ description: 'Patterns as in .gitignore; matching files are hidden in the sandbox', default: [] })
      .optional(),
    readonly: list(pathBelow)
      .meta({
        description: 'Paths that are read-only in the sandbox, in addition to the built-in protected paths',
        default: [],
      })
      .optional(),
    private: list(globBelow)
      .meta({
        description:
          "Patterns as in .gitignore; matching files and folders are the sandbox's own: neither side sees the other's",
        default: [],
      })
      .optional(),
    unprotect: list(pathBelow)
      .meta({
        description:
          'Built-in protected paths to make writable. The host may run what the agent writes there: a widening',
        default: [],
      })
      .optional(),
    git_repository: z
      .boolean()
      .meta({
        description:
          'Whether the repository of a project that is a worktree, a subfolder or a submodule of it is served, too. It lies outside of the project: a widening',
        default: true,
      })
      .optional(),
    git_identity: z
      .boolean()
      .meta({
        description:
          "Whether git in the sandbox gets `user.name` and `user.email` of the host's global git configuration",
        default: true,
      })
      .optional(),
  })
  .meta({ description: 'The only host folder in the sandbox, at the same absolute path' });

const mounts = list(
  z.strictObject({
    host: text.meta({
      description: 'Folder or file of the host, relative to the file that sets it; `~` is your home folder',
    }),
    guest: absolutePath.meta({ description: 'Absolute path in the sandbox' }),
    readonly: z.boolean().meta({ description: 'Whether the mount is read-only', default: true }).optional(),
  }),
).meta({ description: 'Additional folders or files of the host. Each is a widening' });

const resources = z
  .strictObject({
    cpus: z
      .int()
      .min(1)
      .max(64)
      .meta({ description: 'Virtual processors. Default: 2, or 1 if the host has only one', default: 2 })
      .optional(),
    memory: size
      .meta({ description: 'Memory, at least 256MiB. A change restarts the sandbox on its own disk', default: '2GiB' })
      .optional(),
    disk: size
      .meta({
        description: 'Disk, sparse, at least 10GiB. A larger size grows the disk in place; it cannot become smaller',
        default: '20GiB',
      })
      .optional(),
  })
  .meta({ description: 'Size of the VM' });

const docker = z
  .strictObject({
    enabled: z
      .boolean()
      .meta({
        description: 'Whether a Docker engine runs in the sandbox, with Compose. A change makes a new disk',
        default: false,
      })
      .optional(),
  })
  .meta({ description: 'Containers in the sandbox' });

const git = z
  .strictObject({
    sign: z
      .union([z.boolean(), text])
      .meta({
        description:
          "Whether git in the sandbox signs commits with a key of yours: the ssh agent of the host signs, the key stays there. `true`: the `user.signingkey` of the host's global git configuration; else a public key, or the path of its file. A widening",
        default: false,
      })
      .optional(),
  })
  .meta({ description: 'Git in the sandbox' });

const lifecycle = z
  .strictObject({
    restart: z
      .enum(['never', 'on-failure', 'always'])
      .meta({ description: 'Whether to restart a VM that exited', default: 'on-failure' })
      .optional(),
    idle: duration
      .meta({
        description: 'Stop after this long without a command or a session of the agent; `0`: never',
        default: '0',
      })
      .optional(),
    idle_action: z
      .enum(['stop', 'suspend'])
      .meta({ description: 'What an unused sandbox does: `suspend` keeps its processes', default: 'stop' })
      .optional(),
    pool: z
      .int()
      .min(0)
      .max(16)
      .meta({ description: 'Size of the warm pool: resumed, idle clones for new sandboxes', default: 0 })
      .optional(),
  })
  .meta({ description: 'When the sandbox starts and stops' });

const env = z.record(envName, envValue).meta({ description: 'Environment of every command in the sandbox' });

const shared = {
  agent: z
    .union([name, agentTable])
    .meta({ description: '`agent = "<name>"` uses a built-in template by name, like `extends`' })
    .optional(),
  extends: list(text)
    .meta({
      description: 'Templates, merged in order below this file: built-in names, or paths relative to this file',
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
  git: git.optional(),
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
    .meta({ description: 'Number of identical sandboxes: `<name>-1`, `<name>-2` …; without it one, named `<name>`' })
    .optional(),
});

export const fileSchema = z
  .strictObject({
    version: z.literal(1).meta({ description: 'Version of the file format', default: 1 }).optional(),
    name: name.meta({ description: 'Name of the project. Default: the name of the folder' }).optional(),
    ...shared,
    sandboxes: z
      .record(name, sandbox)
      .meta({
        description:
          'Several sandboxes in one project, by name; each overrides the fields above. Without any, the project is one sandbox with the name of the project',
      })
      .optional(),
  })
  .meta({ title: 'sandbox.toml', description: 'The sandboxes of a project' });

export type SandboxConfig = z.infer<typeof sandbox>;
