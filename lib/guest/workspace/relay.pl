# Copies raw FUSE messages between /dev/fuse and a virtio port: perl relay.pl ARCH PORT
#
# The process is resident: it starts before the snapshot, with all that it needs but the mount, and waits until a server connects to PORT. Then it
# mounts the file system at /run/sbx/workspace. For tests: perl relay.pl FUSE_FD PORT_FD [MAILBOX], with both open, and mounted already.
#
# It knows of FUSE only where a message ends and which requests wait for a reply. One read of /dev/fuse is one request, one write one reply.
# It never blocks on one side while the other has data, so a slow server cannot stop replies. When the file system is unmounted
# it says so to the server (DESTROY) and waits for the next one.
#
# While no server is connected, a read of the port returns nothing. Requests that the lost server took are answered with EIO, once; later ones
# wait. At each new connection MAGIC tells the server where its stream begins: bytes before it belong to the connection before.
# Notifications (unique number 0) are written by a process of their own: the kernel takes locks for them that a program may hold while it waits
# for a reply.
# A server that has the mailbox open says so by a message with the unique number 0 and the code $OFFER. From then on the payload of a large
# WRITE is written to a slot of that block device, and only its headers go through the port, with the slot's number from 1 on where the kernel
# leaves 0. A large READ names a slot, too: the server may put the data there, and then the length in its reply has the top bit set.
# A server that is about to be suspended with the guest sends a message with the code $PAUSE. No further request is taken then; once none waits for
# a reply, the server gets $PAUSED and leaves. So no request is lost between the two. The next connection ends the pause.
# Only built-in functions are used: no perl module has to be found.
#
# Beside it: mailbox.pl, what it does with the mailbox; relay-children.pl, the processes of its own.
my $MAGIC = "sbx workspace 1\n";
our $READ = 1 << 20;
# A request of the largest write
our $LARGEST = (1 << 20) + 4096;
our $HEADER = 16;
my ($ENOENT, $EINTR) = (2, 4);
our ($EIO, $EAGAIN) = (5, 11);
my ($INIT, $DESTROY) = (26, 38);
our $MOUNT = '/run/sbx/workspace';
our ($READ_DATA, $WRITE_DATA) = (15, 16);
my ($OFFER, $BOXED) = (0x786f626d, 0x80000000);
# FORGET, INTERRUPT, BATCH_FORGET
my %SILENT = (2 => 1, 36 => 1, 42 => 1);

# Not of FUSE: names the process that repeats the host's changes inside, and marks what is meant for it (events.pl)
our $ANNOUNCE = 0x53425801;
my $ORDER = 0x53425802;
my ($PAUSE, $PAUSED) = (0x70617573, 0x53425803);
# 1: the server asked for a pause; 2: it knows that no request waits
my $pause = 0;

our ($fuse, $port);
# The process that writes notifications, its pipe, and notifications for it
our ($notifier_pid, $notifier, $notes) = (0, undef, '');
# The process that repeats the host's changes, its pipe, and orders for it
our ($repeater, $orders_to, $orders) = (0, undef, '');
# The mailbox, and whether the server has it open
our ($box, $is_offered);
# A request, and where it begins
our ($request, $request_at);
# Requests without a reply, by their unique number in its 8 bytes
our %waiting;
# The first request, until it has its reply: the kernel would give the mount up after a failure
my $init;
# The kernel is still to be told how far to read ahead: once nothing is asked for so many seconds, or after so many turns
my ($QUIET, $TURNS) = (0.2, 500);
my $ahead_in = 0;
# Bytes for the server from $sent on; bytes of it that are no whole reply yet, and how many more that one needs at least
our $out = '';
my ($sent, $in, $missing) = (0, '', $HEADER);

sub open_fd {
  open(my $handle, '+<&=' . $_[0]) or die "fd $_[0]: $!";
  set_nonblocking($handle);
  $handle;
}

# O_NONBLOCK by fcntl F_GETFL, F_SETFL
sub set_nonblocking {
  fcntl($_[0], 4, fcntl($_[0], 3, 0) | 04000) or die "fcntl: $!";
}

# The last call is to be made again.
sub is_soon { $! == $EAGAIN || $! == $EINTR }

# Reads the next request. False: the file system is unmounted.
sub take_request {
  my $got = sysread($fuse, $request, $LARGEST, $request_at);
  # ENOENT: the caller was interrupted before the request was read.
  return is_soon() || $! == $ENOENT unless defined $got;
  return 0 if $got < 40;
  my $opcode = unpack('V', substr($request, $request_at + 4, 4));
  $got = use_slot($opcode, $got) if $is_offered && ($opcode == $READ_DATA || $opcode == $WRITE_DATA);
  ($out, $sent) = (substr($request, $request_at, $got), 0);
  if ($opcode == $INIT) { $init = $out; }
  elsif (!$SILENT{$opcode}) { $waiting{ substr($out, 8, 8) } = 1; }
  1;
}

# False: the server is gone.
sub send_request {
  my $wrote = syswrite($port, $out, length($out) - $sent, $sent);
  return is_soon() unless defined $wrote;
  $sent += $wrote;
  ($out, $sent) = ('', 0) if $sent == length $out;
  1;
}

# Reads until the port is empty: a read returns a page at most. False: the server is gone.
sub take_replies {
  while (1) {
    my $got = sysread($port, $in, $READ, length $in);
    return is_soon() unless defined $got;
    return 0 if $got == 0;
    next if ($missing -= $got) > 0;
    $missing = write_replies() // return 0;
    return 1 if $in eq '';
  }
}

# Hands whole replies to the kernel. Returns how many bytes the next one still needs at least; undefined: the stream is damaged.
sub write_replies {
  my $at = 0;
  my $rest;
  while (($rest = length($in) - $at) >= $HEADER) {
    my $length = unpack('V', substr($in, $at, 4));
    if ($length & $BOXED) {
      reply_boxed(substr($in, $at, $HEADER)) or return undef;
      $at += $HEADER;
      next;
    }
    return undef if $length < $HEADER;
    if ($rest < $length) {
      substr($in, 0, $at, '');
      return $length - $rest;
    }
    reply($at == 0 && $rest == $length ? $in : substr($in, $at, $length));
    $at += $length;
  }
  substr($in, 0, $at, '');
  $HEADER - $rest;
}

# The kernel refuses what it did not ask for, which is no fault of the others.
sub reply {
  my $unique = substr($_[0], 8, 8);
  if ($unique eq "\0" x 8) {
    if (unpack('x4V', $_[0]) == $ORDER) { $orders .= $_[0] if $repeater; }
    elsif (unpack('x4V', $_[0]) == $OFFER) { $is_offered = defined $box; }
    elsif (unpack('x4V', $_[0]) == $PAUSE) { $pause ||= 1; }
    else { $notes .= $_[0]; }
    return;
  }
  delete $waiting{$unique};
  free_slot($unique);
  my $is_init = defined $init && $unique eq substr($init, 8, 8);
  undef $init if $is_init;
  syswrite($fuse, $_[0]);
  $ahead_in = $TURNS if $is_init;
}

# The kernel reads 128 KiB ahead by itself. A `stat` of the mount point would wait for this process.
sub read_further_ahead {
  open(my $mounts, '<:unix', '/proc/self/mountinfo') or return;
  my $text = '';
  while (sysread($mounts, $text, 65536, length $text)) { }
  return unless $text =~ m{^\d+ \d+ (\d+:\d+) / $MOUNT }m;
  if (open(my $ahead, '>', "/sys/class/bdi/$1/read_ahead_kb")) { syswrite($ahead, '1024'); }
}

sub fail_waiting {
  reply(pack('VVa8', $HEADER, -$EIO, $_)) for keys %waiting;
  ($out, $sent, $in, $missing) = ('', 0, '', $HEADER);
  forget_slots();
}

# A port says only by a read whether a server is connected. What arrives before the greeting is of the connection before.
sub wait_for_server {
  $pause = 0;
  while (1) {
    my $got = sysread($port, my $stale, $READ);
    last if !defined $got && $! == $EAGAIN;
    select(undef, undef, undef, 0.01) unless $got;
  }
  ($out, $sent) = ($MAGIC . announcement() . ($init // ''), 0);
}

# Until the file system is unmounted. A server is connected.
sub relay {
  while (1) {
    my ($reads, $writes) = ('', '');
    vec($reads, fileno($port), 1) = 1;
    if ($pause == 1 && $out eq '' && !%waiting) { ($out, $pause) = (message($PAUSED, 0), 2); }
    # The next request is read once the one before is sent.
    if ($out eq '') { vec($reads, fileno($fuse), 1) = 1 unless $pause; }
    else { vec($writes, fileno($port), 1) = 1; }
    vec($writes, fileno($notifier), 1) = 1 if $notes ne '';
    vec($writes, fileno($orders_to), 1) = 1 if $orders ne '';
    my $ready = select($reads, $writes, undef, $ahead_in ? $QUIET : undef);
    next if $ready < 0;
    # Not at once: a sandbox that starts waits for the first replies.
    if ($ahead_in) {
      $ahead_in = $ready == 0 ? 0 : $ahead_in - 1;
      read_further_ahead() if $ahead_in == 0;
    }
    my $connected = 1;
    $connected = take_replies() if vec($reads, fileno($port), 1);
    if ($connected && $out eq '' && vec($reads, fileno($fuse), 1)) { take_request() or return; }
    $connected &&= send_request() if $out ne '';
    send_notes() if $notes ne '';
    send_orders() if $orders ne '';
    next if $connected;
    fail_waiting();
    wait_for_server();
  }
}

# Tells the server that nothing is mounted any more, and waits until it is gone.
sub leave_server {
  $out .= pack('VVVVx24', 40, $DESTROY, 0xfffffff0, 0xffffffff);
  while (1) {
    my $got = sysread($port, my $ignored, $READ);
    return if defined $got ? $got == 0 : !is_soon();
    send_request() if $out ne '';
    select(undef, undef, undef, 0.01) unless $got;
  }
}

# Forgets the file system that was mounted.
sub reset_state {
  close $notifier;
  close $fuse;
  waitpid($notifier_pid, 0);
  %waiting = ();
  undef $init;
  ($out, $sent, $in, $missing, $notes, $ahead_in) = ('', 0, '', $HEADER, '', 0);
  forget_slots();
}

# Numbers of system calls
my %n;

# Pages of this process are never waited for: their place on a disk could be written only after this process has relayed something.
sub lock_memory {
  # MCL_CURRENT | MCL_FUTURE
  syscall($n{mlockall}, 3) if $n{mlockall};
}

# Where the kernel has it. Both are inherited.
sub protect {
  if (open(my $score, '>', '/proc/self/oom_score_adj')) { syswrite($score, '-1000'); }
  # PR_SET_IO_FLUSHER: memory for this process is found without writing through the file system that it serves.
  syscall($n{prctl}, 57, 1, 0, 0, 0);
  lock_memory();
}

# Its processes can be made before it is mounted: a mount names the open file.
sub open_fuse {
  open($fuse, '+<:unix', '/dev/fuse') or return 0;
  set_nonblocking($fuse);
  start_notifier();
  1;
}

sub mount_fuse {
  mkdir $MOUNT, 0755;
  my $options = 'fd=' . fileno($fuse)
    . ',rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,max_read=1048576';
  my ($source, $target, $type) = ('workspace', $MOUNT, 'fuse');
  # MS_NOSUID | MS_NODEV
  syscall($n{mount}, $source, $target, $type, 6, $options) == 0;
}

sub stay {
  my ($arch, $path) = @_;
  %n = $arch eq 'arm64' ? (mount => 40, prctl => 167, mlockall => 230) : (mount => 165, prctl => 157, mlockall => 151);
  open($port, '+<:unix', $path) or die "$path: $!";
  set_nonblocking($port);
  open_mailbox($arch eq 'arm64' ? 0200000 : 040000);
  prepare_mailbox();
  protect();
  start_repeater();
  while (1) {
    my $is_open = open_fuse();
    wait_for_server();
    if (!$is_open || !mount_fuse()) {
      print STDERR "sbx-relay: the workspace cannot be mounted: $!\n";
      select(undef, undef, undef, 1);
      reset_state() if $is_open;
      next;
    }
    relay();
    leave_server();
    reset_state();
  }
}

# MAILBOX: a file, not a device
sub test_run {
  my ($fuse_fd, $port_fd, $mailbox) = @_;
  ($fuse, $port) = map { open_fd($_) } $fuse_fd, $port_fd;
  if (defined $mailbox) { sysopen($box, $mailbox, 2) or die "$mailbox: $!"; }
  prepare_mailbox();
  start_notifier();
  wait_for_server();
  relay();
}

$SIG{PIPE} = "IGNORE";
for my $part ('mailbox.pl', 'relay-children.pl') {
  do $0 =~ s/relay\.pl$/$part/r or die "$part: " . ($@ || $!);
}
if (@ARGV) { $ARGV[0] =~ /^\d+$/ ? test_run(@ARGV) : stay(@ARGV); }
1;
