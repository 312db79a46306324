/** Asks a guest what listens in it. Its answer is not trusted. */
import { SbxError } from '../../../errors.ts';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import { orAbort, within } from '../../../system/deadline.ts';

interface Service {
  port: number;
  program: string | undefined;
}

const ANSWER_MS = 5_000;
const SERVICES_MAX = 64;
/** As the agent cuts it */
const NAME_MAX = 15;

/** @throws SbxError `guest-protocol` */
export async function servicesIn(guest: Pick<GuestConnection, 'request'>): Promise<Service[]> {
  using deadline = within(ANSWER_MS);
  const answer: unknown = await orAbort(guest.request('listening', {}), deadline).catch((cause: unknown) => {
    throw new SbxError('guest-protocol', 'the guest does not say what listens in it', { cause });
  });
  const { ports } = (answer ?? {}) as { ports?: unknown };
  return Array.isArray(ports) ? ports.slice(0, SERVICES_MAX).flatMap(serviceOf) : [];
}

function serviceOf(value: unknown): Service[] {
  const { port, program } = (value ?? {}) as Record<string, unknown>;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return [];
  const isName = typeof program === 'string' && program.length <= NAME_MAX && /^[\w.:/@+-][\w .:/@+-]*$/.test(program);
  return [{ port, program: isName ? program : undefined }];
}
