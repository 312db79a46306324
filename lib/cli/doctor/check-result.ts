/** What a check of the host found. */
export interface CheckResult {
  name: string;
  status: 'ok' | 'warning' | 'failed';
  message: string;
  /** What to do */
  cure?: string;
  /** Debian packages that mend it */
  packages?: string[];
}
