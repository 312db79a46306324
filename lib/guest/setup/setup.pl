# Runs setup operations inside a guest: perl setup.pl ARCH [PORT]
#
# It reads one line of operations from the virtio port PORT, or from stdin, and writes one line of answer: `ok`, `ok java` when a trust
# store of Java has to be rebuilt, or the failed operation with its reason. The format of a line is that of lineOf() in operations.ts.
#
# The process is resident: it starts before the snapshot. An emulating host translates all code again after each restore, and perl's is a
# fraction of Node's. Only built-in functions are used: no perl module has to be found.
$| = 1;
# In lists of processes, instead of the text of this script
$0 = 'sbx-setup';

# Numbers of system calls
my %n = $ARGV[0] eq 'arm64'
  ? (
    clock  => 112,
    host   => 161,
    mount  => 40,
    sync   => 81,
    reboot => 142,
    openat => 56,
    write  => 64,
    close  => 57,
    ioctl  => 29,
    ftruncate => 46,
    prlimit => 261,
  )
  : (
    clock  => 227,
    host   => 170,
    mount  => 165,
    sync   => 162,
    reboot => 169,
    openat => 257,
    write  => 1,
    close  => 3,
    ioctl  => 16,
    ftruncate => 77,
    prlimit => 302,
  );
# What an answer of success adds, and a reason that no error number has
my ($news, $reason);

# Device and inode of a path: what is mounted or stored there
sub at { join ':', (stat $_[0])[0, 1]; }

sub up {
  my $p = $_[0];
  $p =~ s{/+[^/]*$}{};
  $p eq '' ? '/' : $p;
}

sub folder {
  my ($p, $mode) = @_;
  -d $p || folder(up($p), 0755) && mkdir($p, $mode);
}

sub mnt {
  my ($s, $t, $y, $f, $d) = @_;
  syscall($n{mount}, $s, $t, $y, $f + 0, $d) == 0;
}

# Files are written by system calls, which need one code path of perl only: each of perl's own file functions would take some milliseconds
# to translate.
sub fd {
  my ($p, $flags) = @_;
  my $fd = syscall($n{openat}, -100, $p, $flags, 0666);
  $fd < 0 ? undef : $fd;
}

sub put {
  my ($p, $text, $how) = @_;
  my $add = $how eq '>>';
  my $was = $add ? 0 : (-s $p) // 0;
  my $fd = fd($p, 01 | 0100 | ($add && 02000)) // return 0;
  my $at = 0;
  while ($at < length $text) {
    my $rest = substr($text, $at);
    my $wrote = syscall($n{write}, $fd, $rest, length $rest);
    if ($wrote < 1) {
      my $why = $! + 0;
      syscall($n{close}, $fd);
      $! = $why;
      return 0;
    }
    $at += $wrote;
  }
  # Only a file that was longer is truncated: truncating one before the write costs the file system more than all the rest.
  my $cut = $was <= $at || syscall($n{ftruncate}, $fd, $at) == 0;
  return syscall($n{close}, $fd) == 0 && $cut;
}

# Runs one operation; false with the reason in $! when it fails.
sub act {
  my ($op, @a) = @_;
  if ($op eq 'entropy') {
    my $fd = fd('/dev/random', 02) // return 0;
    my $b = pack('ii', 8 * length($a[0]), length($a[0])) . $a[0];
    # RNDADDENTROPY, then RNDRESEEDCRNG
    my $done = syscall($n{ioctl}, $fd, 0x40085203, $b) == 0 && syscall($n{ioctl}, $fd, 0x5207, 0) == 0;
    syscall($n{close}, $fd);
    return $done;
  }
  if ($op eq 'clock') {
    my $t = pack('qq', $a[0], $a[1]);
    return syscall($n{clock}, 0, $t) == 0;
  }
  if ($op eq 'host') {
    my $h = $a[0];
    return syscall($n{host}, $h, length $h) == 0;
  }
  if ($op eq 'write') { return put($a[0], $a[1], '>'); }
  if ($op eq 'prepend') {
    my ($p, $text) = @a;
    my $has = '';
    if (-e $p) {
      open(my $f, '<', $p) or return 0;
      local $/;
      $has = <$f> // '';
    }
    return index($has, $text) >= 0 || put($p, "$text$has", '>');
  }
  if ($op eq 'trust') {
    my ($pem, $own, $java, $bundle, $extra) = @a;
    my $text = '';
    $news = ' java' if -e $java;
    if (-e $own && open(my $f, '<', $own)) {
      local $/;
      $text = <$f> // '';
    }
    return 1 if $text eq $pem;
    for my $list ($bundle, $extra) {
      return 0 if -e $list && !put($list, $pem, '>>');
    }
    # OpenSSL finds an authority by the hash of its name (AUTHORITY_HASH in operations.ts). Packages that make a list of their own from this
    # folder, as Java's does, need a `.pem` name.
    for my $name ('b0679d8b.0', 'sbx.pem') {
      my $link = up($bundle) . "/$name";
      -l $link || !-d up($bundle) || symlink($own, $link) or return 0;
    }
    return folder(up($own), 0755) && put($own, $pem, '>');
  }
  if ($op eq 'folder') { return folder($a[0], $a[1]); }
  if ($op eq 'bind') {
    my ($s, $t) = @a;
    # ELOOP
    if (-l $t) { $! = 40; return 0; }
    if (-d $s) { folder($t, 0755) or return 0; }
    elsif (!-e $s) { return 0; }
    elsif (!-e $t) { folder(up($t), 0755) && put($t, '', '>>') or return 0; }
    return 1 if at($s) eq at($t);
    # MS_BIND
    return mnt($s, $t, 'none', 4096, '');
  }
  if ($op eq 'await-mount') {
    my ($p, $seconds) = @a;
    # A path of a file system without a server has no device number.
    for (my $left = $seconds * 200; $left > 0; $left--) {
      my $dev = (stat $p)[0];
      return 1 if defined $dev && $dev != (stat up($p))[0];
      select(undef, undef, undef, 0.005);
    }
    $reason = "nothing was mounted there within $seconds s";
    return 0;
  }
  if ($op eq 'open-files') {
    # RLIMIT_NOFILE
    my $limits = pack('QQ', $a[1], $a[2]);
    return syscall($n{prlimit}, $a[0] + 0, 7, $limits, 0) == 0;
  }
  if ($op eq 'sync') { syscall($n{sync}); return 1; }
  if ($op eq 'reboot') { return syscall($n{reboot}, 0xfee1dead, 672274793, 0x01234567, 0) == 0; }
}

# Runs a line of operations in order, up to the first failure. Returns the answer.
sub carry {
  my $failed = '';
  $news = '';
  undef $reason;
  for (split /;/, $_[0]) {
    my ($op, @a) = split / /;
    @a = map { pack('H*', $_) } @a;
    $! = 0;
    act($op, @a)
      or ($failed = "$op " . substr(join(' ', map { /^[\x20-\x7e]*$/ ? $_ : '…' } @a[0, 1]), 0, 300) . ': ' . ($reason // $!)), last;
  }
  $failed =~ tr/\n/ /;
  $failed eq '' ? "ok$news" : $failed;
}

if (!defined $ARGV[1]) {
  while (<STDIN>) {
    chomp;
    print carry($_), "\n";
  }
  exit;
}

open(my $port, '+<:unix', $ARGV[1]) or die "$ARGV[1]: $!";
my $held = '';
while (1) {
  # A read of nothing means that no host is connected: a half line of the last connection is dropped.
  if (!sysread($port, $held, 65536, length $held)) {
    $held = '';
    select(undef, undef, undef, 0.005);
    next;
  }
  while ($held =~ s/^([^\n]*)\n//) {
    my $line = $1;
    my $last = $line =~ s/^last;//;
    my $answer = carry($line);
    syswrite($port, "$answer\n");
    exit if $last && $answer =~ /^ok/;
  }
}
