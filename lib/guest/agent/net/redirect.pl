# Redirects all outgoing TCP of the guest to the agent's listening socket: perl redirect.pl ARCH, with that socket as descriptor 3
#
# It prints `ok`, or the step that the kernel refused, then `syn ADDRESS PORT SOURCE-PORT` for each new connection, which waits for `accept …` or
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

sub insn {
  my ($code, $dst, $src, $off, $imm) = @_;
  pack('CCsl', $code, $src << 4 | $dst, $off, $imm);
}
my $me = unpack('l', $own);
my @program = (
  insn(0xbf, 6, 1, 0, 0),        #  0 r6 = context
  insn(0x61, 2, 1, 8, 0),        #  1 family
  insn(0x55, 2, 0, 20, 2),       #  2 not IPv4: pass
  insn(0x61, 2, 1, 12, 0),       #  3 protocol
  insn(0x55, 2, 0, 18, 6),       #  4 not TCP: pass
  insn(0x61, 3, 1, 16, 0),       #  5 source address
  insn(0x61, 2, 1, 40, 0),       #  6 destination address
  insn(0x56, 3, 0, 15, $me),     #  7 not from the address that the route gives: pass
  insn(0x16, 2, 0, 14, $me),     #  8 to the guest itself: pass
  insn(0x62, 10, 0, -4, 0),      #  9 key = 0
  insn(0x18, 1, 1, 0, $map),     # 10 r1 = map (two instructions)
  insn(0, 0, 0, 0, 0),           # 11
  insn(0xbf, 2, 10, 0, 0),       # 12
  insn(0x07, 2, 0, 0, -4),       # 13 r2 = address of the key
  insn(0x85, 0, 0, 0, 1),        # 14 look up the listener
  insn(0x15, 0, 0, 7, 0),        # 15 no listener: pass
  insn(0xbf, 7, 0, 0, 0),        # 16
  insn(0xbf, 1, 6, 0, 0),        # 17
  insn(0xbf, 2, 7, 0, 0),        # 18
  insn(0xb7, 3, 0, 0, 0),        # 19
  insn(0x85, 0, 0, 0, 124),      # 20 assign the connection to it
  insn(0xbf, 1, 7, 0, 0),        # 21
  insn(0x85, 0, 0, 0, 86),       # 22 release the reference of the look-up
  insn(0xb7, 0, 0, 0, 1),        # 23 pass
  insn(0x95, 0, 0, 0, 0),        # 24
);
my ($code, $license) = (join('', @program), "Apache-2.0\0");
my $loaded = bpf('program', 5, pack('LLPPLLQLLx16LL', 30, scalar @program, $code, $license, 0, 0, 0, 0, 0, 0, 36));
open(my $netns, '<', '/proc/self/ns/net') or fail('network namespace');
my $link = bpf('link', 28, pack('LLLL', $loaded, fileno($netns), 36, 0));

# SO_ATTACH_FILTER; each instruction: code, jumps if true and if false, operand
sub filter {
  my ($what, $socket, @insns) = @_;
  my $code = join '', map { pack('SCCL', @$_) } @insns;
  setsockopt($socket, 1, 26, pack('Sx6P', scalar @insns, $code)) or fail($what);
}
my ($me_n, $skb_mark, $skb_type, $source) = (unpack('N', $own), 0xfffff014, 0xfffff004, 0xfff0000c);
open(my $listener, '+<&=', 3) or fail('listener');
filter(
  'filter', $listener,
  [0x20, 0, 0, $skb_mark], [0x15, 5, 0, $mark],                        # sent here: pass
  [0x30, 0, 0, 13], [0x54, 0, 0, 0x12], [0x15, 0, 2, 2],               # no SYN: pass
  [0x20, 0, 0, $source], [0x15, 1, 0, $me_n],                          # from the guest's address: drop
  [0x06, 0, 0, 0xffffffff], [0x06, 0, 0, 0],
);
# A packet socket without the link's header
socket(my $seen, 17, 2, 0) or fail('packet socket');
filter(
  'packet filter', $seen,
  [0x20, 0, 0, $skb_mark], [0x15, 12, 0, $mark],                       # sent here: no
  [0x28, 0, 0, $skb_type], [0x15, 0, 10, 0],                           # on its way out: no
  [0x30, 0, 0, 9], [0x15, 0, 8, 6],                                    # not TCP: no
  [0x20, 0, 0, 12], [0x15, 0, 6, $me_n],                               # not from the guest's address: no
  [0x20, 0, 0, 16], [0x15, 4, 0, $me_n],                               # to the guest itself: no
  [0xb1, 0, 0, 0], [0x50, 0, 0, 13], [0x54, 0, 0, 0x12], [0x15, 1, 0, 2],  # a SYN: yes
  [0x06, 0, 0, 0], [0x06, 0, 0, 0xffff],
);
# Only IPv4 and only `lo`, where redirected packets turn round
bind($seen, pack('SnlSCCa8', 17, 0x800, $lo, 0, 0, 0, '')) or fail('packet socket');
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
  my $key = join('.', unpack('x16C4', $packet)) . " $port $sport";
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
