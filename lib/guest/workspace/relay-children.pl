# The processes of the relay (relay.pl): one writes notifications, one repeats the host's changes.
our ($READ, $HEADER, $EAGAIN, $MOUNT, $ANNOUNCE);
our ($fuse, $port, $box, $out);
our ($notifier_pid, $notifier, $notes, $repeater, $orders_to, $orders);

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
  $notifier_pid = fork() // die "fork: $!";
  if ($notifier_pid == 0) {
    lock_memory();
    close $notifier;
    close $port;
    notify($pipe);
  }
  close $pipe;
  set_nonblocking($notifier);
}

# It is resident, too. It must not hold /dev/fuse open when the relay has ended.
# Without it the host's changes raise no events inside.
sub start_repeater {
  my $script = $0 =~ s/relay\.pl$/events.pl/r;
  return unless -e $script;
  pipe(my $pipe, $orders_to) or die "pipe: $!";
  $repeater = fork() // die "fork: $!";
  if ($repeater == 0) {
    close $_ for grep { defined } $orders_to, $port, $box, $fuse, $notifier;
    open(STDIN, '<&', $pipe) or die "stdin: $!";
    close $pipe;
    @ARGV = ($MOUNT);
    # Not exec: here perl is run by a loader of its own, so that $^X is not perl.
    do $script;
    exit;
  }
  close $pipe;
  set_nonblocking($orders_to);
}

sub announcement { $repeater ? message($ANNOUNCE, $repeater) : ''; }

# Looks like a request of the kernel
sub message {
  my ($code, $pid) = @_;
  pack('VVx8x8VVVV', 40, $code, 0, 0, $pid, 0);
}

sub send_notes {
  my $wrote = syswrite($notifier, $notes);
  substr($notes, 0, $wrote, '') if $wrote;
}

sub send_orders {
  my $wrote = syswrite($orders_to, $orders);
  return substr($orders, 0, $wrote, '') if $wrote;
  return if is_soon();
  # A program inside has ended it; another process may get its number.
  waitpid($repeater, 0);
  $orders = '';
  start_repeater();
  $out .= announcement();
}

1;
