/** The two start-up scripts of every guest, run by the runtime's busybox. */
import INITRAMFS_INIT from './initramfs-init.sh';
import RUNTIME_INIT from './runtime-init.sh';

/** `moduleFiles`: below `/modules` of the initramfs, in load order. */
export function initramfsInit(moduleFiles: string[]): string {
  return withModules(
    INITRAMFS_INIT,
    moduleFiles.map((file) => `/modules/${file}`),
  );
}

export function runtimeInit(lateModules: readonly string[]): string {
  return withModules(RUNTIME_INIT, lateModules);
}

function withModules(script: string, modules: readonly string[]): string {
  return script.replace('in @MODULES@;', () => `in ${modules.join(' ')};`);
}
