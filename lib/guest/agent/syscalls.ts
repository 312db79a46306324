/**
 * What Node cannot do, and what must be quick in a clone: a resident perl, started before the snapshot. After a restore every piece of code
 * that runs is translated anew by an emulating host, and perl's is a fraction of Node's; so a clone becomes itself in one batch of operations.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export type Operation =
  /** Mixes the bytes in, credits them, and makes the kernel's generator start anew */
  | { op: 'entropy'; bytes: Buffer }
  | { op: 'clock'; seconds: bigint; nanoseconds: bigint }
  | { op: 'host'; name: string }
  | { op: 'write'; path: string; text: string }
  /** Adds it to what the system trusts, once */
  | { op: 'trust'; certificate: string }
  /** Also the folders above; one that stands there already is kept */
  | { op: 'folder'; path: string; mode: number }
  /** Nothing when something is mounted there already */
  | { op: 'mount'; source: string; target: string; type: string; data: string }
  /** Makes the mount point, a folder or a file like the source; nothing when something is mounted there already. A symbolic link is refused */
  | { op: 'bind'; source: string; target: string }
  | { op: 'sync' }
  | { op: 'reboot' };

/** Carries the operations out one after the other. @throws Error, the failed operation and the system's reason: what comes after it was not done. */
export type Syscalls = (operations: Operation[]) => Promise<void>;

/** Where the system's own tools keep what was added to the bundle */
const OWN_CERTIFICATE = '/usr/local/share/ca-certificates/sbx.crt';
const SYSTEM_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
/** OpenSSL looks for an issuer under the hash of its name, which is the same for the authorities of all sandboxes */
export const AUTHORITY_HASH = 'b0679d8b';

// Arguments come hex-encoded, so that no path can break a line. Only built-in functions: no module needs to be found.
const SCRIPT = `
$| = 1;
my %n = $ARGV[0] eq 'arm64'
  ? (clock => 112, host => 161, mount => 40, sync => 81, reboot => 142)
  : (clock => 227, host => 170, mount => 165, sync => 162, reboot => 169);
sub at { join ':', (stat $_[0])[0, 1]; }
sub up { my $p = $_[0]; $p =~ s{/+[^/]*$}{}; $p eq '' ? '/' : $p; }
sub folder { my ($p, $mode) = @_; -d $p || folder(up($p), 0755) && mkdir($p, $mode); }
sub mnt { my ($s, $t, $y, $f, $d) = @_; syscall($n{mount}, $s, $t, $y, $f + 0, $d) == 0; }
sub put { my ($p, $text, $how) = @_; open(my $f, $how, $p) or return 0; print($f $text) && close($f); }
sub act {
  my ($op, @a) = @_;
  if ($op eq 'entropy') {
    open(my $r, '+<', '/dev/random') or return 0; my $b = pack('ii', 8 * length($a[0]), length($a[0])) . $a[0];
    return ioctl($r, 0x40085203, $b) && ioctl($r, 0x5207, 0);
  }
  if ($op eq 'clock') { my $t = pack('qq', $a[0], $a[1]); return syscall($n{clock}, 0, $t) == 0; }
  if ($op eq 'host') { my $h = $a[0]; return syscall($n{host}, $h, length $h) == 0; }
  if ($op eq 'write') { return put($a[0], $a[1], '>'); }
  if ($op eq 'trust') {
    my ($pem, $own, $bundle) = @a; my $text = '';
    if (open(my $f, '<', $own)) { local $/; $text = <$f> // ''; }
    return 1 if $text eq $pem;
    return 0 if -e $bundle && !put($bundle, $pem, '>>');
    my $link = up($bundle) . '/${AUTHORITY_HASH}.0';
    -l $link || !-d up($bundle) || symlink($own, $link) or return 0;
    return folder(up($own), 0755) && put($own, $pem, '>');
  }
  if ($op eq 'folder') { return folder($a[0], $a[1]); }
  if ($op eq 'mount') { my $t = $a[1]; return (stat $t)[0] != (stat up($t))[0] || mnt(@a[0, 1, 2], 0, $a[3]); }
  if ($op eq 'bind') {
    my ($s, $t) = @a;
    if (-l $t) { $! = 40; return 0; }
    if (-d $s) { folder($t, 0755) or return 0; }
    elsif (!-e $s) { return 0; }
    elsif (!-e $t) { folder(up($t), 0755) && put($t, '', '>>') or return 0; }
    return 1 if at($s) eq at($t);
    return mnt($s, $t, 'none', 4096, '');
  }
  if ($op eq 'sync') { syscall($n{sync}); return 1; }
  if ($op eq 'reboot') { return syscall($n{reboot}, 0xfee1dead, 672274793, 0x01234567, 0) == 0; }
}
while (<STDIN>) {
  chomp; my $failed = ''; look() if /\bmount |\bbind /;
  for (split /;/) {
    my ($op, @a) = split / /; @a = map { pack('H*', $_) } @a;
    $! = 0; act($op, @a) or ($failed = "$op " . substr(join(' ', map { /^[\x20-\x7e]*$/ ? $_ : '…' } @a[0, 1]), 0, 300) . ": $!"), last;
  }
  $failed =~ tr/\n/ /; print $failed eq '' ? "ok\n" : "$failed\n";
}
`;

/** Files that a certificate is added to; others in tests. */
interface TrustPlaces {
  own: string;
  bundle: string;
}

/** `command`: perl, with arguments before its own. Empty, on a host: every operation fails. */
export function createSyscalls(
  command: string[],
  trust: TrustPlaces = { own: OWN_CERTIFICATE, bundle: SYSTEM_BUNDLE },
): Syscalls & AsyncDisposable {
  const helper = startHelper(command);
  let ended = helper === undefined;
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  if (helper?.stdout) {
    createInterface({ input: helper.stdout }).on('line', (line) => {
      const next = waiting.shift();
      if (line === 'ok') next?.resolve();
      else next?.reject(new Error(line));
    });
    helper.once('close', () => {
      ended = true;
      for (const { reject } of waiting.splice(0)) reject(new Error('the helper for system calls ended'));
    });
  }
  const call: Syscalls = (operations) =>
    new Promise<void>((resolve, reject) => {
      if (ended || !helper?.stdin) return reject(new Error('no helper for system calls'));
      waiting.push({ resolve, reject });
      helper.stdin.write(`${operations.map((operation) => lineOf(operation, trust)).join(';')}\n`);
    });
  return Object.assign(call, {
    [Symbol.asyncDispose]: async () => {
      if (helper === undefined || helper.exitCode !== null) return;
      const ended = new Promise((resolve) => helper.once('exit', resolve));
      helper.stdin?.end();
      await ended;
    },
  });
}

function lineOf(operation: Operation, trust: TrustPlaces): string {
  return [operation.op, ...argumentsOf(operation, trust).map((arg) => Buffer.from(arg).toString('hex'))].join(' ');
}

function argumentsOf(operation: Operation, trust: TrustPlaces): (string | Buffer)[] {
  switch (operation.op) {
    case 'entropy':
      return [operation.bytes];
    case 'clock':
      return [String(operation.seconds), String(operation.nanoseconds)];
    case 'host':
      return [operation.name];
    case 'write':
      return [operation.path, operation.text];
    case 'trust':
      return [operation.certificate, trust.own, trust.bundle];
    case 'folder':
      return [operation.path, String(operation.mode)];
    case 'mount':
      return [operation.source, operation.target, operation.type, operation.data];
    case 'bind':
      return [operation.source, operation.target];
    default:
      return [];
  }
}

function startHelper([file, ...args]: string[]): ChildProcess | undefined {
  if (file === undefined) return undefined;
  const helper = spawn(file, [...args, '-e', SCRIPT, process.arch], { stdio: ['pipe', 'pipe', 'inherit'] });
  helper.on('error', () => {});
  helper.stdin?.on('error', () => {});
  return helper;
}
