/** A folder of the host with a private layer over it, and a guest that uses both. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Layer, type LayerOptions } from '../../../../lib/workspace/layer/layer.ts';
import { compileWorkspacePolicy, type WorkspacePolicy } from '../../../../lib/workspace/policy/compile.ts';
import { foldOf } from '../../../../lib/workspace/policy/match/fold.ts';
import type { CoherenceOptions } from '../../../../lib/workspace/server/coherence/coherence.ts';
import { projectPolicy } from '../../../../lib/workspace/server/project-policy.ts';
import type { Decide, JudgeRename } from '../../../../lib/workspace/server/tables/policy.ts';
import { Rig, ROOT } from '../server/rig.ts';

export interface WorldOptions extends Omit<LayerOptions, 'path'> {
  /** Patterns of `private` */
  private?: string[];
  /** False: as a sandbox without a layer */
  hasLayer?: boolean;
  hide?: string[];
  coherence?: CoherenceOptions;
}

/** Files of the host by path; a path that ends with `/` is a folder */
type Files = Record<string, string>;

export class World implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'sbx-layer-'));
  readonly project = join(this.folder, 'project');
  readonly layerPath = join(this.folder, 'layer');
  readonly #options: WorldOptions;
  #rig: Rig | undefined;
  #layer: Layer | undefined;

  private constructor(options: WorldOptions) {
    this.#options = options;
    mkdirSync(this.project);
  }

  static async make(files: Files, options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    for (const [path, content] of Object.entries(files)) world.put(path, content);
    await world.start();
    return world;
  }

  get rig(): Rig {
    if (this.#rig === undefined) throw new Error('not started');
    return this.#rig;
  }

  get layer(): Layer {
    if (this.#layer === undefined) throw new Error('no layer');
    return this.#layer;
  }

  /** Writes on the host. */
  put(path: string, content: string): void {
    const file = join(this.project, path);
    mkdirSync(path.endsWith('/') ? file : dirname(file), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(file, content);
  }

  /** Reads on the host. */
  onHost(path: string): string {
    return readFileSync(join(this.project, path), 'utf8');
  }

  /** Starts the server, or another one in place of one that is gone. */
  async start(): Promise<void> {
    this.#layer?.[Symbol.dispose]();
    const { hasLayer = true, limits, coherence } = this.#options;
    this.#layer = hasLayer ? new Layer({ path: this.layerPath, ...(limits !== undefined && { limits }) }) : undefined;
    const layers = this.#layer === undefined ? undefined : new Map([['', this.#layer]]);
    // The policy asks the folder that is served.
    let hooks: { decide: Decide; judgeRename: JudgeRename } | undefined;
    this.#rig = await Rig.mount(this.project, {
      decide: (request) => hooks?.decide(request) ?? 'hidden',
      judgeRename: (request) => hooks?.judgeRename(request) ?? 'refuse',
      ...(layers !== undefined && { layers }),
      ...(coherence !== undefined && { coherence }),
    });
    hooks = projectPolicy(this.#rig.volume, () => ({ policy: this.#policy() }), layers);
  }

  /** The server is gone without a word; another one takes over. */
  async restart(): Promise<void> {
    await this.#rig?.[Symbol.asyncDispose]();
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rig?.[Symbol.asyncDispose]();
    this.#layer?.[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The node of a path; '' is the root */
  async node(path: string): Promise<number> {
    return path === '' ? ROOT : (await this.rig.walk(path)).node;
  }

  async place(path: string): Promise<[number, string]> {
    const slash = path.lastIndexOf('/');
    return [await this.node(path.slice(0, Math.max(0, slash))), path.slice(slash + 1)];
  }

  async read(path: string): Promise<string> {
    const node = await this.node(path);
    const handle = await this.rig.open(node);
    const bytes = await this.rig.read(node, handle, { size: 65_536 });
    await this.rig.release(node, handle);
    return bytes.toString();
  }

  /** As a shell's `>` */
  async write(path: string, content: string | Buffer): Promise<void> {
    const [parent, name] = await this.place(path);
    const { node, handle } = await this.rig.create(parent, name, { flags: 0o1101 });
    await this.rig.write(node, handle, content);
    await this.rig.release(node, handle);
  }

  async mkdir(path: string): Promise<void> {
    await this.rig.mkdir(...(await this.place(path)));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.rig.rename(await this.place(from), await this.place(to));
  }

  async names(path: string, plus = false): Promise<string[]> {
    const all = await this.rig.list(await this.node(path), { plus });
    return all
      .map(({ name }) => name.toString())
      .filter((name) => name !== '.' && name !== '..')
      .sort();
  }

  #policy(): WorkspacePolicy {
    const entries = (list: string[] = []) =>
      list.map((text) => ({ text, source: { file: 'sandbox.toml', line: 1, column: 1 } }));
    return compileWorkspacePolicy({
      hide: entries(this.#options.hide),
      readonly: [],
      private: entries(this.#options.private),
      unprotect: [],
      configFiles: ['sandbox.toml'],
      fold: foldOf({}),
    });
  }
}
