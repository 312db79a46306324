/** Parses and shows ports as `[ADDR:]HOST:GUEST`. Pure. */
import { isIP } from 'node:net';
import type { PortsRequest } from '../../api/live-contract.ts';
import type { PortInfo } from '../../api/sandbox-status.ts';
import { SbxError } from '../../errors.ts';

export type WantedPort = PortsRequest['publish'][number];

/** `3000`, `8080:3000`, `0:3000`, `192.168.1.2:8080:3000`, `[::]:8080:3000`. @throws SbxError `usage` */
export function parsePort(text: string): WantedPort {
  const match = /^(?:(?:\[([^\]]*)\]|(\d+\.[\d.]+)):)?(?:(\d{1,5}):)?(\d{1,5})$/.exec(text);
  const [, address6, address4, hostText, guestText = ''] = match ?? [];
  const [guest, host] = [Number(guestText), Number(hostText ?? guestText)];
  const address = address6 ?? address4;
  const isThere =
    address === undefined || (hostText !== undefined && isIP(address) === (address6 === undefined ? 4 : 6));
  if (match === null || !isThere || guest < 1 || guest > 65_535 || host > 65_535)
    throw new SbxError('usage', `invalid port: ${text}`, {
      hint: 'write HOST:GUEST, such as 8080:3000, or ADDR:HOST:GUEST; an IPv6 address in brackets',
    });
  return { guest, host, ...(address === undefined ? {} : { address }) };
}

/** The port of the host, as an address where one was chosen. */
export function hostText({ host, address }: Pick<PortInfo, 'host' | 'address'>): string {
  const port = host === 0 ? 'a free port' : String(host);
  if (address === null) return port;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** An address that other machines reach. */
export function isWide({ address }: { address?: string | null | undefined }): boolean {
  return address !== undefined && address !== null && !/^127\.|^::1$/.test(address);
}
