/** The result of one check of the host. */
export interface CheckResult {
  name: string;
  status: 'ok' | 'warning' | 'failed';
  message: string;
  fix?: string;
  /** Debian packages that fix it */
  packages?: string[];
}
