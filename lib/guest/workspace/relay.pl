# Copies raw FUSE messages between /dev/fuse and a virtio port: perl relay.pl FUSE_FD PORT_FD [MOUNT]
#
# It knows of FUSE only where a message ends and which requests wait for a reply. One read of /dev/fuse is one request, one write one reply.
# It never blocks on one side while the other has data, so a slow server cannot stop replies. It ends when the file system is unmounted.
#
# While no server is connected, a read of the port returns nothing. Requests that the lost server took are answered with EIO, once; later ones
# wait. At each new connection MAGIC tells the server where its stream begins: bytes before it belong to the connection before.
# Notifications (unique number 0) are written by a process of their own: the kernel takes locks for them that a program may hold while it waits
# for a reply.
# Only built-in functions are used: no perl module has to be found.
my $MAGIC = "sbx workspace 1\n";
my $READ = 1 << 20;
# A request of the largest write
my $LARGEST = (1 << 20) + 4096;
my $HEADER = 16;
my ($ENOENT, $EINTR, $EIO, $EAGAIN) = (2, 4, 5, 11);
my $INIT = 26;
# FORGET, INTERRUPT, BATCH_FORGET
my %SILENT = (2 => 1, 36 => 1, 42 => 1);

# Not of FUSE: names the process that repeats the host's changes inside, and marks what is meant for it (events.pl)
my ($ANNOUNCE, $ORDER) = (0x53425801, 0x53425802);

my ($fuse, $port, $notifier);
# That process, its pipe, and orders for it
my ($repeater, $orders_to, $orders) = (0, undef, '');
# Notifications for that process
my $notes = '';
# Requests without a reply, by their unique number in its 8 bytes
my %waiting;
# The first request, until it has its reply: the kernel would give the mount up after a failure
my $init;
# Bytes for the server from $sent on; bytes of it that are no whole reply yet, and how many more that one needs at least
my ($out, $sent, $in, $missing) = ('', 0, '', $HEADER);

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
  my $got = sysread($fuse, my $request, $LARGEST);
  # ENOENT: the caller was interrupted before the request was read.
  return is_soon() || $! == $ENOENT unless defined $got;
  return 0 if $got < 40;
  my $opcode = unpack('x4V', $request);
  if ($opcode == $INIT) { $init = $request; }
  elsif (!$SILENT{$opcode}) { $waiting{ substr($request, 8, 8) } = 1; }
  ($out, $sent) = ($request, 0);
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
    else { $notes .= $_[0]; }
    return;
  }
  delete $waiting{$unique};
  undef $init if defined $init && $unique eq substr($init, 8, 8);
  syswrite($fuse, $_[0]);
}

sub fail_waiting {
  reply(pack('VVa8', $HEADER, -$EIO, $_)) for keys %waiting;
  ($out, $sent, $in, $missing) = ('', 0, '', $HEADER);
}

# A port says only by a read whether a server is connected. What arrives before the greeting is of the connection before.
sub wait_for_server {
  while (1) {
    my $got = sysread($port, my $stale, $READ);
    last if !defined $got && $! == $EAGAIN;
    select(undef, undef, undef, 0.01) unless $got;
  }
  ($out, $sent) = ($MAGIC . announcement() . ($init // ''), 0);
}

# Reads notifications from the pipe and writes each in one piece, until the relay ends. The kernel refuses those about what it has forgotten.
sub notify {
  my $pipe = shift;
  my $held = '';
  while (sysread($pipe, $held, $READ, length $held)) {
    while (length $held >= $HEADER) {
      my $length = unpack('V', $held);
      last if length $held < $length;
      my $note = substr($held, 0, $length, '');
      until (defined syswrite($fuse, $note) || $! != $EAGAIN) { select(undef, undef, undef, 0.005); }
    }
  }
  exit;
}

sub start_notifier {
  pipe(my $pipe, $notifier) or die "pipe: $!";
  my $child = fork() // die "fork: $!";
  if ($child == 0) {
    close $notifier;
    close $port;
    notify($pipe);
  }
  close $pipe;
  set_nonblocking($notifier);
}

# Without the script or the mount point the host's changes raise no events inside.
sub start_repeater {
  my ($script, $mount) = @_;
  return unless defined $mount && -e $script;
  pipe(my $pipe, $orders_to) or die "pipe: $!";
  $repeater = fork() // die "fork: $!";
  if ($repeater == 0) {
    open(STDIN, '<&', $pipe) or die "stdin: $!";
    exec($^X, $script, $mount) or die "exec: $!";
  }
  close $pipe;
  set_nonblocking($orders_to);
}

sub announcement {
  $repeater ? pack('VVx8x8VVVV', 40, $ANNOUNCE, 0, 0, $repeater, 0) : '';
}

sub send_notes {
  my $wrote = syswrite($notifier, $notes);
  substr($notes, 0, $wrote, '') if $wrote;
}

sub send_orders {
  my $wrote = syswrite($orders_to, $orders);
  substr($orders, 0, $wrote, '') if $wrote;
}

sub relay {
  ($fuse, $port) = map { open_fd($_) } @_[0, 1];
  start_notifier();
  start_repeater($0 =~ s{[^/]*$}{}r . 'events.pl', $_[2]);
  wait_for_server();
  while (1) {
    my ($reads, $writes) = ('', '');
    vec($reads, fileno($port), 1) = 1;
    # The next request is read once the one before is sent.
    if ($out eq '') { vec($reads, fileno($fuse), 1) = 1; }
    else { vec($writes, fileno($port), 1) = 1; }
    vec($writes, fileno($notifier), 1) = 1 if $notes ne '';
    vec($writes, fileno($orders_to), 1) = 1 if $orders ne '';
    next if select($reads, $writes, undef, undef) < 0;
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

$SIG{PIPE} = "IGNORE";
relay(@ARGV) if @ARGV;
1;
