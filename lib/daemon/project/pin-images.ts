/** Pins `oci:` bases: a tag is resolved once, for a new sandbox or a rebuild, and stays what it was. */
import { resolveImage } from '../../image/oci/resolve-image.ts';
import type { OciImage, ProjectSpec, SandboxSpec } from '../../spec/spec.ts';
import type { Control } from '../control/control.ts';

const OCI = 'oci:';

export interface PinOptions {
  only?: string[] | undefined;
  /** Resolve the tags of these sandboxes again */
  rebuild?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Sandboxes of one reference in one project get one image. @throws SbxError `registry`, `image-source` */
export async function pinImages(
  { records, registry }: Pick<Control, 'records' | 'registry'>,
  project: ProjectSpec,
  { only, rebuild = false, signal }: PinOptions = {},
): Promise<ProjectSpec> {
  const fresh = new Map<string, Promise<OciImage>>();
  const resolve = (base: string) => {
    const found = fresh.get(base) ?? resolveImage(registry, base.slice(OCI.length), signal);
    fresh.set(base, found);
    return found;
  };
  const isMeant = (name: string) => only === undefined || only.length === 0 || only.includes(name);
  const pin = async (spec: SandboxSpec): Promise<SandboxSpec> => {
    const { base } = spec.image;
    if (!base.startsWith(OCI)) return spec;
    const record = records.get(records.idOf(project.dir, spec.name));
    const known = [record?.applied, record?.target].find((one) => one?.image.base === base && one.image.digest);
    const again = rebuild && isMeant(spec.name);
    const image = (again ? undefined : known?.image) ?? { base, ...(await resolve(base)) };
    return { ...spec, image };
  };
  return { ...project, sandboxes: await Promise.all(project.sandboxes.map(pin)) };
}
