/** The private layers of a session: one for each root that has one. */
import type { Item, LayerFolder } from '../../layer/items.ts';
import type { Layer, Spot } from '../../layer/layer.ts';
import { fail } from '../sys/errno.ts';
import type { Link, Node } from './node.ts';
import { namesOf } from './nodes.ts';

/** A name, where it is in the layer of its root */
interface LayerPlace {
  layer: Layer;
  names: string[];
}

export class Layers {
  private readonly byRoot: ReadonlyMap<string, Layer>;

  /** @param byRoot by the names of the roots */
  constructor(byRoot: ReadonlyMap<string, Layer>) {
    this.byRoot = byRoot;
  }

  /** True: no name is private, and nothing needs to be asked. */
  get isOff(): boolean {
    return this.byRoot.size === 0;
  }

  /** Undefined where the root has no layer */
  placeOf(link: Link): LayerPlace | undefined {
    if (this.isOff) return undefined;
    const { start, names } = namesOf(link);
    const layer = this.byRoot.get(start.root?.name ?? '');
    return layer === undefined ? undefined : { layer, names };
  }

  itemAt(link: Link): Item | undefined {
    const place = this.placeOf(link);
    return place?.layer.find(place.names);
  }

  layerOf(node: Node): Layer | undefined {
    if (this.isOff) return undefined;
    if (node.root !== undefined) return this.byRoot.get(node.root.name);
    const link = node.links[0] ?? node.lastLink;
    return link === undefined ? undefined : this.placeOf(link)?.layer;
  }

  /** What the layer has at a folder's own path; undefined for a folder without a name, whose path may be another's by now */
  folderOf(node: Node): { layer: Layer; folder: LayerFolder } | undefined {
    const layer = this.layerOf(node);
    if (layer === undefined) return undefined;
    if (node.root !== undefined) return { layer, folder: layer.top };
    const [link] = node.links;
    const item = link === undefined ? undefined : this.itemAt(link);
    return item?.is === 'folder' ? { layer, folder: item } : undefined;
  }

  /** Call it before a file of the layer changes its size; @throws ENOSPC */
  resize(node: Node, from: number, to: number): void {
    this.layerOf(node)?.usage.grow(to - from);
  }

  /** @throws ESTALE where the layer has no such folder */
  spotOf({ parent, name }: Link): { layer: Layer; spot: Spot } {
    const found = this.folderOf(parent) ?? fail('ESTALE');
    return { layer: found.layer, spot: { folder: found.folder, name } };
  }
}
