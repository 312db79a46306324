/** Lists the kernel modules of the guest and orders them by depmod's `modules.dep`: pure. */

/** Loaded by the initramfs, before the root disk is there */
export const EARLY_MODULES = ['virtio_mmio', 'virtio_blk', 'ext4', 'crc32c_generic'];

/** Loaded by the init of the runtime disk */
export const LATE_MODULES = ['virtio_console', 'virtio_net', 'virtio_rng', 'virtio_balloon', 'fuse', 'af_packet'];

/** Folders of drivers that no virtual machine has the hardware for: left out of the runtime disk */
export const HARDWARE_ONLY = [
  'drivers/gpu',
  'drivers/media',
  'drivers/net/wireless',
  'drivers/net/ethernet',
  'drivers/infiniband',
  'drivers/scsi',
  'drivers/usb',
  'drivers/iio',
  'drivers/hwmon',
  'drivers/input',
  'drivers/isdn',
  'drivers/staging',
  'drivers/platform',
  'drivers/mtd',
  'drivers/ata',
  'drivers/edac',
  'drivers/pinctrl',
  'drivers/leds',
  'drivers/comedi',
  'drivers/thunderbolt',
  'drivers/firewire',
  'drivers/bluetooth',
  'drivers/power',
  'drivers/regulator',
  'drivers/rtc',
  'drivers/mfd',
  'drivers/i2c',
  'drivers/spi',
  'drivers/gpio',
  'drivers/mmc',
  'drivers/memstick',
  'drivers/parport',
  'drivers/video',
  'drivers/watchdog',
  'drivers/nvme',
  'drivers/message',
  'drivers/target',
  'sound',
  'net/bluetooth',
  'net/wireless',
  'net/mac80211',
  'net/nfc',
  'net/can',
  'fs/xfs',
  'fs/btrfs',
  'fs/ocfs2',
  'fs/gfs2',
  'fs/jfs',
  'fs/reiserfs',
  'fs/ceph',
  'fs/f2fs',
  'fs/nilfs2',
  'fs/ntfs3',
];

/** modules.dep: `kernel/fs/ext4/ext4.ko: kernel/lib/crc16.ko …` → the files to load, dependencies first. Built-in modules have no line and are skipped. */
export function loadOrder(modulesDep: string, wanted: readonly string[]): string[] {
  const byName = new Map<string, { file: string; needs: string[] }>();
  for (const line of modulesDep.split('\n')) {
    const [file, needs] = line.split(':');
    if (!file || needs === undefined) continue;
    byName.set(nameOf(file), { file, needs: needs.split(' ').filter(Boolean) });
  }
  const order: string[] = [];
  const visit = (name: string) => {
    const module = byName.get(name);
    if (module === undefined || order.includes(module.file)) return;
    for (const need of module.needs) visit(nameOf(need));
    order.push(module.file);
  };
  for (const name of wanted) visit(name.replaceAll('-', '_'));
  return order;
}

function nameOf(file: string): string {
  return (file.split('/').at(-1) ?? '').replace(/\.ko(\.(xz|zst|gz))?$/, '').replaceAll('-', '_');
}
