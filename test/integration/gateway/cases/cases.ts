/** The requests of a hostile guest that need one message only, as data: each with its verdict and the control that gives it. */
import { ADDRESSES } from './addresses.ts';
import { HEADS } from './heads.ts';
import type { HostileCase } from './hostile-case.ts';
import { HOSTS } from './hosts.ts';
import { TLS } from './tls.ts';

export const HOSTILE: HostileCase[] = [...HOSTS, ...ADDRESSES, ...TLS, ...HEADS];
