/** File systems that other machines, or a host of this one, change without an event here: a watch on them misses their edits. */

/** Magic numbers of statfs(2) */
const SHARED = new Set([
  0x6969, // NFS
  0xff534d42, // CIFS
  0xfe534d42, // SMB 2
  0x01021997, // 9p, as of WSL's drives
  0x65735546, // FUSE: sshfs, virtiofs
  0x786f4256, // VirtualBox shared folders
  0xbacbacbc, // VMware shared folders
  0x00c36400, // Ceph
  0x0bd00bd0, // Lustre
  0x5346414f, // AFS
  0x73757245, // Coda
  0x01161970, // GFS2
  0x7461636f, // OCFS2
]);

/** @param type of `statFileSystem` */
export function isShared(type: number): boolean {
  return SHARED.has(type);
}
