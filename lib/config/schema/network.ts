/** The schema of the tables for network access, credentials, ports, services and MCP. */
import { z } from 'zod';
import {
  envName,
  headerFormat,
  headerName,
  host,
  ipAddress,
  list,
  method,
  name,
  network,
  oneHost,
  port,
  secretName,
  serviceHost,
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
          '`enforce`: allow only what `allow` lists. `observe`: allow every public host that is not denied, and log what `enforce` would have denied; a widening',
        default: 'enforce',
      })
      .optional(),
    allow: list(network, 10_000)
      .meta({
        description:
          'Hosts that may be reached: `host`, `*.host` (one label), `**.host` (any depth), an address or CIDR, each with an optional `:port` or `:from-to` (default: 443); or `preset:` with npm, apt, pip, cargo, go, maven, rubygems: the hosts in your own configuration of the tool, or else its public default',
        default: [],
      })
      .optional(),
    deny: list(network, 10_000)
      .meta({ description: 'Hosts that may not be reached, even if `allow` lists them', default: [] })
      .optional(),
    bandwidth: size
      .meta({ description: 'Bytes per second in each direction, for all connections together. Default: no limit' })
      .optional(),
    http: list(
      z.strictObject({
        host: host.meta({ description: 'The host to restrict' }),
        methods: list(method).meta({ description: 'Allowed methods; empty: all', default: [] }).optional(),
        paths: list(urlPath)
          .meta({ description: 'Allowed paths, with `*` and `**`; empty: all', default: [] })
          .optional(),
      }),
    )
      .meta({ description: 'Restricts a host to methods and paths. The gateway intercepts TLS for that host' })
      .optional(),
  })
  .meta({ description: 'Everything is denied unless it is allowed; `deny` wins; order does not matter' });

export const credentials = list(
  z.strictObject({
    secret: secretName.meta({ description: 'Name of the secret on the host (`sbx secret set`)' }),
    env: envName.meta({ description: 'Environment variable that holds the placeholder in the sandbox' }),
    host: oneHost.meta({
      description:
        'The host that receives the secret, with an optional `:port` (default: 443). `[network]` must allow it as well',
    }),
    header: headerName.meta({ description: 'Header that carries the secret', default: 'authorization' }).optional(),
    format: headerFormat
      .meta({
        description:
          'Value of the header; `{}` is replaced by the secret. Write `user:password` in plain text after `Basic `: `Basic x-access-token:{}` is for git over HTTPS',
        default: 'Bearer {}',
      })
      .optional(),
  }),
).meta({
  description:
    'Sends a secret of the host to one external host. The value never enters the sandbox, which sees a placeholder. Each is a widening',
});

export const ports = list(
  z.strictObject({
    guest: z.union([port, z.literal('auto')]).meta({
      description:
        'Port inside, of a service on 127.0.0.1, ::1 or all addresses. `auto`: `sbx ports` asks once about each port that starts to listen',
    }),
    host: z
      .int()
      .min(0)
      .max(65_535)
      .meta({ description: 'Port on the host; `0`: a free one. Default: the same as inside' })
      .optional(),
    address: ipAddress
      .meta({
        description:
          'The one address of the host to listen on: `0.0.0.0` lets every machine of the network in. Default: the loopback, 127.0.0.1 and ::1',
      })
      .optional(),
    auto: z.boolean().meta({ description: 'Use a free port when `host` is taken', default: false }).optional(),
  }),
).meta({
  description:
    'Makes TCP services of the guest reachable on the host: on its loopback, unless `address` says otherwise. Each is a widening',
});

export const services = list(
  z.strictObject({
    name: name.meta({ description: 'The guest connects to `<name>.host.sbx`' }),
    host: serviceHost.meta({
      description: 'Where it is on the host: an address or `localhost` with a port, or the path of a Unix socket',
    }),
    port: port.meta({ description: 'Port for the guest. Default: that of `host`; a socket needs one' }).optional(),
  }),
).meta({
  description:
    'Services of the host that the guest can reach, by name and port, and nothing else of the host. Each is a widening',
});

export const mcp = z
  .strictObject({
    servers: z
      .record(
        name,
        z.strictObject({
          command: list(text).min(1).meta({
            description:
              'Program of the host and its arguments; it runs in a jail without a network, with `/usr` and `folders`',
          }),
          folders: list(text, 16)
            .meta({ description: 'Folders of the host that it can read, and no others', default: [] })
            .optional(),
          tools: list(text, 256).meta({ description: 'Tools that may be called, with `*`; absent: all' }).optional(),
        }),
      )
      .meta({ description: 'MCP servers by name' })
      .optional(),
  })
  .meta({ description: 'MCP servers of the host, served through the gateway, filtered and logged' });
