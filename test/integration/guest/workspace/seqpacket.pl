# Stands for a kernel with FUSE: perl seqpacket.pl PORT_SOCKET RELAY MAILBOX
# The relay's end of the pair reads and writes whole messages, as /dev/fuse does. Messages come on stdin and go to stdout, each after its length.
use Socket;
$^F = 1000;
socketpair(my $kernel, my $device, AF_UNIX, SOCK_SEQPACKET, 0) or die "socketpair: $!";
socket(my $port, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
connect($port, pack_sockaddr_un($ARGV[0])) or die "connect: $!";
my $relay = fork() // die "fork: $!";
if ($relay == 0) {
  close $kernel;
  exec $^X, $ARGV[1], fileno($device), fileno($port), $ARGV[2];
}
close $device;
close $port;
$SIG{TERM} = sub { kill 'KILL', $relay; exit };
my $in = '';
while (1) {
  my $reads = '';
  vec($reads, fileno($_), 1) = 1 for $kernel, *STDIN;
  select($reads, undef, undef, undef);
  if (vec($reads, fileno($kernel), 1)) {
    last unless sysread($kernel, my $message, 1 << 21);
    my $framed = pack('V', length $message) . $message;
    my $at = 0;
    $at += syswrite(STDOUT, $framed, length($framed) - $at, $at) // die while $at < length $framed;
  }
  next unless vec($reads, fileno(*STDIN), 1);
  last unless sysread(STDIN, $in, 1 << 20, length $in);
  while (length $in >= 4 && length($in) >= 4 + unpack('V', $in)) {
    syswrite($kernel, substr($in, 4, unpack('V', $in))) or die "write: $!";
    substr($in, 0, 4 + unpack('V', $in), '');
  }
}
kill 'KILL', $relay;
