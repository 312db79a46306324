/** The tables of what the sandbox reaches, and of what reaches it. */
import { z } from 'zod';
import {
  envName,
  headerFormat,
  headerName,
  host,
  hostAndPort,
  list,
  method,
  name,
  network,
  oneHost,
  port,
  secretName,
  size,
  text,
  urlPath,
} from './fields.ts';

export const networkTable = z
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
      .meta({ description: 'Bytes a second each way, of all connections allOrAbort. Default: no limit' })
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

export const credentials = list(
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

export const ports = list(
  z.strictObject({
    guest: port.meta({ description: 'Port inside' }),
    host: port.meta({ description: 'Port on the loopback of the host. Default: the same' }).optional(),
  }),
).meta({ description: "Guest services on the host's loopback" });

export const services = list(
  z.strictObject({
    name: name.meta({ description: 'The guest reaches it as `<name>.host.sbx`' }),
    host: hostAndPort.meta({ description: 'Address and port on the host' }),
  }),
).meta({ description: 'Services of the host, for the guest' });

export const mcp = z
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
