/** A guest that does to a folder of the host whatever the server lets it do, by the requests of its kernel. */
import { dirname } from 'node:path';
import { RootFacts } from '../../../../lib/workspace/facts/root-facts.ts';
import {
  compileWorkspacePolicy,
  type WorkspacePolicy,
  type WorkspaceRules,
} from '../../../../lib/workspace/policy/compile.ts';
import { foldOf } from '../../../../lib/workspace/policy/match/fold.ts';
import { projectPolicy } from '../../../../lib/workspace/server/project-policy.ts';
import { openVolume, type Root } from '../../../../lib/workspace/server/tables/volume.ts';
import { GuestError, Rig, ROOT } from '../server/rig.ts';

const [WRITE, APPEND] = [1, 0o2000];

export interface Served extends AsyncDisposable {
  rig: Rig;
  facts: RootFacts;
  policy: WorkspacePolicy;
  root: Root;
}

export async function serveFolder(path: string, rules: Partial<WorkspaceRules> = {}): Promise<Served> {
  const volume = openVolume([{ name: '', path }]);
  const lists = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [] };
  const policy = compileWorkspacePolicy({ ...lists, fold: foldOf({}), ...rules });
  const facts = new RootFacts({ fd: volume.roots[0]?.fd ?? -1, hostPath: path, policy, named: [] });
  const rig = await Rig.mount(
    path,
    // As in lib/workspace/process/guests.ts
    projectPolicy(volume, () => (rules.around === undefined ? { policy, facts } : { policy })),
  );
  return {
    rig,
    facts,
    policy,
    root: volume.roots[0] as Root,
    [Symbol.asyncDispose]: async () => {
      await rig[Symbol.asyncDispose]();
      facts[Symbol.dispose]();
      volume[Symbol.dispose]();
    },
  };
}

/** What is refused is as if it had gone to the private layer. */
export class Attacker {
  readonly #rig: Rig;

  constructor({ rig }: Served) {
    this.#rig = rig;
  }

  write(path: string, content: string, mode = 0o644): Promise<void> {
    return this.#try(async () => {
      await this.folder(dirname(path));
      const parent = await this.#node(dirname(path));
      const name = path.slice(path.lastIndexOf('/') + 1);
      const known = await this.#rig.lookup(parent, name).catch(() => undefined);
      if (known !== undefined) {
        await this.#rig.setattr(known.node, { size: 0, mode });
        const handle = await this.#rig.open(known.node, WRITE);
        await this.#rig.write(known.node, handle, content);
        await this.#rig.release(known.node, handle);
        return;
      }
      const { node, handle } = await this.#rig.create(parent, name, { mode });
      await this.#rig.write(node, handle, content);
      await this.#rig.release(node, handle);
    });
  }

  append(path: string, content: string): Promise<void> {
    return this.#try(async () => {
      const node = await this.#node(path);
      const { size } = await this.#rig.getattr(node);
      const handle = await this.#rig.open(node, WRITE | APPEND);
      await this.#rig.write(node, handle, content, { offset: Number(size) });
      await this.#rig.release(node, handle);
    });
  }

  /** Undefined: there is no such file, or it cannot be read. */
  async read(path: string): Promise<string | undefined> {
    try {
      const node = await this.#node(path);
      return (await this.#rig.read(node, await this.#rig.open(node))).toString();
    } catch (error) {
      if (error instanceof GuestError) return undefined;
      throw error;
    }
  }

  folder(path: string): Promise<void> {
    return this.#try(async () => {
      if (path === '.' || path === '') return;
      await this.folder(dirname(path));
      await this.#rig.mkdir(await this.#node(dirname(path)), path.slice(path.lastIndexOf('/') + 1));
    });
  }

  link(path: string, target: string): Promise<void> {
    return this.#try(async () => {
      await this.#rig.symlink(await this.#node(dirname(path)), path.slice(path.lastIndexOf('/') + 1), target);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#try(async () => {
      const name = (path: string) => path.slice(path.lastIndexOf('/') + 1);
      await this.#rig.rename([await this.#node(dirname(from)), name(from)], [await this.#node(dirname(to)), name(to)]);
    });
  }

  async #node(path: string): Promise<number> {
    return path === '.' || path === '' ? ROOT : (await this.#rig.walk(path)).node;
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof GuestError)) throw error;
    }
  }
}
