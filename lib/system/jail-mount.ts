/** One bind mount of the jail, below the exported folder `/export`; order matters. */
export interface JailMount {
  /** Absolute path on the host; `/dev/null` hides a file; `empty-dir` is an empty read-only folder that the jail provides */
  source: string;
  /** Path inside the jail, e.g. `/export/ws/.git/hooks` */
  target: string;
  readonly: boolean;
}
