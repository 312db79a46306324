/** What machines are made, watched and ended with. */
import type { Gateway } from '../../../gateway/gateway.ts';
import type { Registries } from '../../../image/bake/bake-script.ts';
import type { ImageDeps } from '../../../image/store/image-build.ts';
import type { Home, InstancePaths } from '../../../paths.ts';
import type { LastKnown } from '../../../state/cached.ts';
import type { Records } from '../../../state/records.ts';
import type { VmDriver, VmPlaces } from '../../../vm/driver.ts';
import type { Credentials } from '../credentials/credentials.ts';
import type { Doors } from '../egress/egress.ts';
import type { Guests } from '../guests/connections.ts';
import type { MountWatches } from './mount-watches.ts';

export interface MachineDeps {
  home: Home;
  records: Records;
  driver: VmDriver;
  gateway: Gateway;
  doors: Doors;
  credentials: Credentials;
  guests: Guests;
  watches: MountWatches;
  image: ImageDeps;
  registries: LastKnown<Registries>;
}

export function placesOf(paths: InstancePaths): VmPlaces {
  return {
    dir: paths.dir,
    run: paths.run,
    qmp: paths.qmp,
    agent: paths.agent,
    setup: paths.setup,
    door: paths.door,
    process: paths.process,
    console: paths.console,
    monitorLog: paths.monitorLog,
  };
}
