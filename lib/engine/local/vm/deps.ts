/** What the parts of the local engine share. */
import type { Gateway } from '../../../gateway/gateway.ts';
import type { Registries } from '../../../image/bake/bake-script.ts';
import type { ImageDeps } from '../../../image/store/image-build.ts';
import type { Home } from '../../../paths.ts';
import type { Cached } from '../../../state/cached.ts';
import type { Records } from '../../../state/records.ts';
import type { VmDriver } from '../../../vm/driver.ts';
import type { WorkspaceServers } from '../../../workspace/client/servers.ts';
import type { Credentials } from '../credentials/credentials.ts';
import type { Egress } from '../egress/egress.ts';
import type { Guests } from '../guests/connections.ts';

export interface VmDeps {
  home: Home;
  records: Records;
  driver: VmDriver;
  gateway: Gateway;
  egress: Egress;
  credentials: Credentials;
  guests: Guests;
  workspaces: WorkspaceServers;
  image: ImageDeps;
  registries: Cached<Registries>;
}
