/** The mirrors in this machine's APT configuration. */
import { ask } from './ask.ts';
import type { RegistrySource } from './source.ts';

export const APT: RegistrySource = {
  variables: /^SBX_APT_MIRROR$/,

  files: () => ['/etc/apt/sources.list', '/etc/apt/sources.list.d', '/etc/apt/apt.conf.d'],

  async urls({ env }) {
    const format = ['--format', '$(REPO_URI)', 'Created-By: Packages'];
    const listed = await ask('apt-get', ['indextargets', '--no-release-info', ...format], env);
    const override = env['SBX_APT_MIRROR'];
    return [...new Set([...(override ? [override] : []), ...listed])];
  },
};
