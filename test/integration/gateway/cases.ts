/** The requests of a hostile guest that need one message only, as data: each with its verdict and the control that gives it. */
import { ADDRESSES } from './cases-addresses.ts';
import { HEADS } from './cases-heads.ts';
import { HOSTS } from './cases-hosts.ts';
import { TLS } from './cases-tls.ts';
import type { HostileCase } from './hostile-case.ts';

export const HOSTILE: HostileCase[] = [...HOSTS, ...ADDRESSES, ...TLS, ...HEADS];
