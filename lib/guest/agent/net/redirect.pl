# Redirects all outgoing TCP of the guest and its containers to the agent's listening socket: perl redirect.pl ARCH, with that socket as descriptor 3
#
# It prints `ok`, or the step that the kernel refused, then `syn ADDRESS PORT SOURCE-PORT SOURCE` for each new connection, which waits for `accept …` or
# `refuse …` on stdin, until that is closed, and `gone …` for one whose program does not wait any more. No netfilter is used, so no kernel module
# and no program of the base image is needed:
# - A route for TCP alone, after all others, makes every address without a route of its own local: packets turn round at `lo`. Everything
#   else has no route and fails at once.
# - A BPF program of the type `sk_lookup` assigns those connections to the listening socket.
# - IP_TRANSPARENT lets that socket answer from addresses that are not the guest's.
# - A filter of that socket drops the first packet (SYN) of a connection, which a packet socket has seen. To accept it, the same packet is sent
#   again with a mark that the filter passes; to refuse it, the answer of a closed port (RST) is sent. A lost packet comes again after a second.
$| = 1;
# In lists of processes, instead of the text of this script
$0 = 'sbx-redirect';

sub fail {
  my $e = "$!";
  print "$_[0]: $e\n";
  exit 1;
}

my ($BPF, $SETSOCKOPT, $CLOCK_GETTIME) = $ARGV[0] eq 'arm64' ? (280, 208, 113) : (321, 54, 228);
# The guest's address, the index of `lo`, the number of the routing table
my ($own, $lo, $table) = (pack('C4', 10, 0, 2, 15), 1, 100);
# Of packets that are sent here
my $mark = 0x736278;

# SOL_IP, IP_TRANSPARENT
my $on = pack('i', 1);
syscall($SETSOCKOPT, 3, 0, 19, $on, 4) == 0 or fail('transparent socket');

# Route and rule, through rtnetlink
sub attr {
  my ($type, $data) = @_;
  my $a = pack('SS', 4 + length $data, $type) . $data;
  $a . "\0" x (-length($a) & 3);
}
socket(my $nl, 16, 3, 0) or fail('netlink');

sub tell_kernel {
  my ($what, $type, $flags, $body) = @_;
  send($nl, pack('LSSLL', 16 + length $body, $type, 5 | $flags, 1, 0) . $body, 0) or fail($what);
  defined recv($nl, my $answer, 4096, 0) or fail($what);
  my $error = unpack('x16 l', $answer);
  # EEXIST: an agent before this one added it.
  $! = -$error, fail($what) if $error != 0 && $error != -17;
}
# RTM_NEWROUTE: a local route to everything, with RTA_OIF and RTA_PREFSRC
tell_kernel(
  'route', 24, 0x500,
  pack('CCCCCCCCL', 2, 0, 0, 0, $table, 3, 254, 2, 0) . attr(4, pack('L', $lo)) . attr(7, $own)
);
# RTM_NEWRULE: the table is for TCP only, with FRA_PRIORITY and FRA_IP_PROTO
tell_kernel(
  'rule', 32, 0x600,
  pack('CCCCCCCCL', 2, 0, 0, 0, $table, 0, 0, 1, 0) . attr(6, pack('L', 32800)) . attr(22, pack('C', 6))
);
# And for what is sent here: FRA_PRIORITY, FRA_FWMARK and FRA_FWMASK
tell_kernel(
  'rule', 32, 0x600,
  pack('CCCCCCCCL', 2, 0, 0, 0, $table, 0, 0, 1, 0) . attr(6, pack('L', 32801)) . attr(10, pack('L', $mark)) . attr(16, pack('L', 0xffffffff))
);

sub bpf {
  my ($what, $cmd, $attr) = @_;
  $attr .= "\0" x (128 - length $attr);
  my $r = syscall($BPF, $cmd, $attr, 128);
  $r >= 0 or fail($what);
  $r;
}
# A map of sockets with one entry, the listening socket
my $map = bpf('map', 0, pack('LLLL', 15, 4, 8, 1));
my ($key, $socket) = (pack('L', 0), pack('Q', 3));
bpf('listener', 2, pack('LxxxxPPQ', $map, $key, $socket, 0));

# Replaces the names of labels, strings in the list of instructions, by distances. `@jumps`: where an instruction has them
sub resolve {
  my ($jumps, @list) = @_;
  my (%at, @insns);
  for (@list) {
    if (ref) { push @insns, [@$_] } else { $at{$_} = @insns }
  }
  for my $i (0 .. $#insns) {
    for (@{$insns[$i]}[@$jumps]) { $_ = $at{$_} - $i - 1 if !/^-?\d+$/ }
  }
  @insns;
}

my $me = unpack('l', $own);
# Code, destination and source register, distance of a jump or offset, operand. Addresses are in network order: the first octet is the lowest.
# The networks of containers are among those of RFC 1918, and no other source is redirected; from there, such a destination is the guest or another
# container.
my $private = sub {
  my ($register, $found) = @_;
  map { my ($mask, $network) = @$_; ([0xbf, 4, $register, 0, 0], [0x54, 4, 0, 0, $mask], [0x16, 4, 0, $found, $network]) }
    [0xff, 10], [0xf0ff, 0x10ac], [0xffff, 0xa8c0];
};
my @program = resolve([3],
  [0xbf, 6, 1, 0, 0],                # r6 = context
  [0x61, 2, 1, 8, 0],                # family
  [0x55, 2, 0, 'pass', 2],           # not IPv4
  [0x61, 2, 1, 12, 0],               # protocol
  [0x55, 2, 0, 'pass', 6],           # not TCP
  [0x61, 3, 1, 16, 0],               # source address
  [0x61, 2, 1, 40, 0],               # destination address
  [0x16, 3, 0, 'own', $me],          # from the address that the route gives
  $private->(3, 'container'),
  [0x05, 0, 0, 'pass', 0],
  'container', $private->(2, 'pass'),
  'own', [0x16, 2, 0, 'pass', $me],  # to the guest itself
  [0x62, 10, 0, -4, 0],              # key = 0
  [0x18, 1, 1, 0, $map],             # r1 = map (two instructions)
  [0, 0, 0, 0, 0],
  [0xbf, 2, 10, 0, 0],
  [0x07, 2, 0, 0, -4],               # r2 = address of the key
  [0x85, 0, 0, 0, 1],                # look up the listener
  [0x15, 0, 0, 'pass', 0],           # no listener
  [0xbf, 7, 0, 0, 0],
  [0xbf, 1, 6, 0, 0],
  [0xbf, 2, 7, 0, 0],
  [0xb7, 3, 0, 0, 0],
  [0x85, 0, 0, 0, 124],              # assign the connection to it
  [0xbf, 1, 7, 0, 0],
  [0x85, 0, 0, 0, 86],               # release the reference of the look-up
  'pass', [0xb7, 0, 0, 0, 1],
  [0x95, 0, 0, 0, 0],
);
@program = map { pack('CCsl', $_->[0], $_->[1] | $_->[2] << 4, @$_[3, 4]) } @program;
my ($code, $license) = (join('', @program), "Apache-2.0\0");
my $loaded = bpf('program', 5, pack('LLPPLLQLLx16LL', 30, scalar @program, $code, $license, 0, 0, 0, 0, 0, 0, 36));
open(my $netns, '<', '/proc/self/ns/net') or fail('network namespace');
my $link = bpf('link', 28, pack('LLLL', $loaded, fileno($netns), 36, 0));

# SO_ATTACH_FILTER; each instruction: code, jumps if true and if false, operand
sub filter {
  my ($what, $socket, @list) = @_;
  my @insns = resolve([1, 2], @list);
  my $code = join '', map { pack('SCCL', @$_) } @insns;
  setsockopt($socket, 1, 26, pack('Sx6P', scalar @insns, $code)) or fail($what);
}
my ($me_n, $skb_mark, $skb_type, $source) = (unpack('N', $own), 0xfffff014, 0xfffff004, 0xfff0000c);
open(my $listener, '+<&=', 3) or fail('listener');
filter(
  'filter', $listener,
  [0x20, 0, 0, $skb_mark], [0x15, 'pass', 0, $mark],                   # sent here
  [0x30, 0, 0, 13], [0x54, 0, 0, 0x12], [0x15, 0, 'pass', 2],          # no SYN
  [0x30, 0, 0, $source], [0x15, 'pass', 0, 127],                       # made to the listener itself
  [0x06, 0, 0, 0],
  'pass', [0x06, 0, 0, 0xffffffff],
);
# A packet socket without the link's header
socket(my $seen, 17, 2, 0) or fail('packet socket');
filter(
  'packet filter', $seen,
  [0x20, 0, 0, $skb_mark], [0x15, 'no', 0, $mark],                     # sent here
  [0x28, 0, 0, $skb_type], [0x15, 0, 'no', 0],                         # on its way out
  [0x30, 0, 0, 9], [0x15, 0, 'no', 6],                                 # not TCP
  [0x20, 0, 0, 12], [0x15, 'own', 0, $me_n],                           # from the guest's address
  [0x30, 0, 0, 12], [0x15, 'container', 0, 10],                        # from a network of containers
  [0x28, 0, 0, 12], [0x15, 'container', 0, 0xc0a8],
  [0x54, 0, 0, 0xfff0], [0x15, 0, 'no', 0xac10],
  'container',
  [0x30, 0, 0, 16], [0x15, 'no', 0, 10],                               # to one, or to the guest
  [0x28, 0, 0, 16], [0x15, 'no', 0, 0xc0a8],
  [0x54, 0, 0, 0xfff0], [0x15, 'no', 0, 0xac10],
  'own', [0x20, 0, 0, 16], [0x15, 'no', 0, $me_n],                     # to the guest itself
  [0xb1, 0, 0, 0], [0x50, 0, 0, 13], [0x54, 0, 0, 0x12], [0x15, 'yes', 0, 2],  # a SYN
  'no', [0x06, 0, 0, 0],
  'yes', [0x06, 0, 0, 0xffff],
);
# IPv4 of every interface: the guest's own packets turn round at `lo`, those of a container come through its bridge.
bind($seen, pack('SnlSCCa8', 17, 0x800, 0, 0, 0, 0, '')) or fail('packet socket');
# Sends whole IP packets: IPPROTO_RAW, SO_MARK
socket(my $raw, 2, 3, 255) or fail('raw socket');
setsockopt($raw, 1, 36, pack('L', $mark)) or fail('raw socket');

sub checksum {
  my $data = $_[0] . (length($_[0]) & 1 ? "\0" : '');
  my $sum = unpack('%32n*', $data);
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  ~$sum & 0xffff;
}

# The kernel fills in the checksum of the IP header.
sub put {
  my ($from, $to, $ip, $tcp) = @_;
  substr($tcp, 16, 2) = "\0\0";
  substr($tcp, 16, 2) = pack('n', checksum($from . $to . pack('CCn', 0, 6, length $tcp) . $tcp));
  send($raw, $ip . $tcp, 0, pack('Sna4x8', 2, 0, $to));
}

my (%held, %done);
my %answer = (
  accept => sub {
    my ($packet) = @_;
    my $head = (ord($packet) & 15) * 4;
    put(substr($packet, 12, 4), substr($packet, 16, 4), substr($packet, 0, $head), substr($packet, $head));
  },
  refuse => sub {
    my ($packet) = @_;
    my ($from, $to) = (substr($packet, 12, 4), substr($packet, 16, 4));
    my ($sport, $port, $sequence) = unpack('nnN', substr($packet, (ord($packet) & 15) * 4));
    my $ip = pack('CCnnnCCna4a4', 0x45, 0, 40, 0, 0, 64, 6, 0, $to, $from);
    put($to, $from, $ip, pack('nnNNCCnnn', $port, $sport, 0, ($sequence + 1) & 0xffffffff, 0x50, 0x14, 0, 0, 0));
  },
);

# CLOCK_MONOTONIC: the wall clock of a guest that was idle is set forward.
sub seconds {
  my $time = pack('qq', 0, 0);
  syscall($CLOCK_GETTIME, 1, $time);
  unpack('q', $time);
}

sub see {
  sysread($seen, my $packet, 65536) or return;
  $packet = substr($packet, 0, unpack('x2n', $packet));
  my ($sport, $port, $sequence) = unpack('nnN', substr($packet, (ord($packet) & 15) * 4));
  my $key = join('.', unpack('x16C4', $packet)) . " $port $sport " . join('.', unpack('x12C4', $packet));
  # A slow guest repeats what was answered meanwhile.
  my ($answered, $word) = @{$done{$key} // [-1]};
  return $answer{$word}->($packet) if $answered == $sequence;
  # The last one counts: another program may have taken the port meanwhile.
  my $known = $held{$key};
  my $now = seconds();
  my $first = defined $known && $known->[3] == $sequence ? $known->[1] : $now;
  $held{$key} = [$packet, $first, $now, $sequence];
  print "syn $key\n" unless defined $known;
}

# A program that still waits repeats its packet, after twice the time at the latest; one that does not gave up.
my $checked = 0;

sub forget {
  my $now = seconds();
  return if $now == $checked;
  $checked = $now;
  for my $key (keys %held) {
    my ($first, $last) = @{$held{$key}}[1, 2];
    next if $now <= $first + 2 * ($last - $first) + 3;
    delete $held{$key};
    print "gone $key\n";
  }
}

print "ok\n";
my $lines = '';
while (1) {
  my $ready = '';
  vec($ready, $_, 1) = 1 for 0, fileno $seen;
  my $count = select($ready, undef, undef, %held ? 1 : undef);
  next if $count < 0;
  # First what came while this process did not run
  if ($count > 0 && vec($ready, fileno $seen, 1)) { see() } elsif (%held) { forget() }
  next unless $count > 0;
  next unless vec($ready, 0, 1);
  sysread(STDIN, $lines, 65536, length $lines) or last;
  while ($lines =~ s/^(\w+) ([^\n]+)\n//) {
    my ($packet) = @{delete $held{$2} // next};
    $answer{$1}->($packet);
    %done = () if keys %done >= 4096;
    $done{$2} = [unpack('x4N', substr($packet, (ord($packet) & 15) * 4)), $1];
  }
}
