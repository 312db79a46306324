# What the relay does with the mailbox: payloads of large requests go through the slots of a block device (relay.pl).
our ($HEADER, $LARGEST, $EIO, $WRITE_DATA, $fuse, %waiting);
our ($box, $is_offered, $request, $request_at);
# Slots, in bytes, and the smallest payload that goes there
my ($SLOTS, $SLOT, $LARGE) = (16, 1 << 20, 16384);
my $BOXED = 0x80000000;
my $SECTOR = 512;
my $WRITE_HEADERS = 80;
# The free slots; slots by the unique number of their request
my (@free, %slot_of);
# The data of a reply, and where it begins. As the request it lies page-aligned, for O_DIRECT: neither buffer is copied to or from as a whole,
# which would move it.
my ($data, $data_at);

sub prepare_mailbox {
  $request_at = align($WRITE_HEADERS, $request);
  $data_at = align($HEADER, $data) + $HEADER;
  forget_slots();
}

# Assigns a slot if the request is large and one is free. Returns how many bytes of the request go through the port.
sub use_slot {
  my ($opcode, $got) = @_;
  my $size = unpack('V', substr($request, $request_at + 56, 4));
  return $got if $size < $LARGE || $size > $SLOT || !@free;
  my $slot = $free[-1];
  if ($opcode == $WRITE_DATA) {
    return $got if $got != $WRITE_HEADERS + $size;
    my $length = sectors($size);
    $request .= "\0" x ($length - $size);
    sysseek($box, $slot * $SLOT, 0);
    my $wrote = syswrite($box, $request, $length, $request_at + $WRITE_HEADERS);
    return $got unless defined $wrote && $wrote == $length;
    $got = $WRITE_HEADERS;
    substr($request, $request_at, 4, pack('V', $got));
  }
  pop @free;
  $slot_of{ substr($request, $request_at + 8, 8) } = $slot;
  substr($request, $request_at + 36, 4, pack('V', $slot + 1));
  $got;
}

sub sectors { ($_[0] + $SECTOR - 1) & ~($SECTOR - 1); }

# Puts a reply together whose data is in its slot, and hands it to the kernel. False: the server says what cannot be.
sub reply_boxed {
  my ($header) = @_;
  my ($length, $unique) = unpack('Vx4a8', $header);
  my $slot = $slot_of{$unique};
  $length &= ~$BOXED;
  return 0 if !defined $slot || $length <= $HEADER || $length - $HEADER > $SLOT;
  my $bytes = sectors($length - $HEADER);
  sysseek($box, $slot * $SLOT, 0);
  my $got = sysread($box, $data, $bytes, $data_at);
  my $whole = defined $got && $got == $bytes;
  free_slot($unique);
  delete $waiting{$unique};
  return syswrite($fuse, pack('VVa8', $HEADER, -$EIO, $unique)), 1 unless $whole;
  substr($data, $data_at - $HEADER, $HEADER, pack('VVa8', $length, 0, $unique));
  syswrite($fuse, $data, $length, $data_at - $HEADER);
  1;
}

sub free_slot {
  my $slot = delete $slot_of{ $_[0] };
  push @free, $slot if defined $slot;
}

# Reserves the memory of a buffer. Returns from where on a payload is page-aligned after $before bytes of headers, where those begin.
sub align {
  my ($before) = @_;
  $_[1] = "\0" x ($LARGEST + 3 * 4096);
  my $address = unpack('J', pack('P', $_[1]));
  4096 + (-$before - $address) % 4096;
}

# The block device with the mailbox's serial number, past the guest's page cache
sub open_mailbox {
  my ($o_direct) = @_;
  for my $disk ('a' .. 'z') {
    open(my $serial, '<', "/sys/block/vd$disk/serial") or last;
    sysread($serial, my $name, 64);
    next unless defined $name && $name =~ /^sbx-mailbox$/;
    sysopen($box, "/dev/vd$disk", 2 | $o_direct) or undef $box;
  }
}

sub forget_slots {
  ($is_offered, %slot_of) = (0);
  @free = reverse 0 .. $SLOTS - 1;
}

1;
