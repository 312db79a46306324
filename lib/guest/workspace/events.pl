# Repeats the host's changes below a mount point, so that the kernel tells those who watch: perl events.pl MOUNT < ORDERS
#
# The server takes what this process asks for as done already and changes nothing. An order is a message as of FUSE: its length in 4 bytes, 12
# bytes that do not matter, then words with NUL between: a number, a letter, one path or two.
# Programs inside can put links in the way, and this process is root: no path is walked through a link or out of the file system (openat2).
# Only built-in functions are used: no perl module has to be found.
my $HEADER = 16;
my $OPENAT2 = 437;
# RESOLVE_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH
my $INSIDE = 0x0f;
my ($WRONLY, $CREAT, $EXCL, $CLOEXEC) = (1, 0100, 0200, 02000000);

my $mount = shift // die "usage: events.pl MOUNT\n";

# The handle of a path below a folder's handle, or nothing
sub open_inside {
  my ($base, $path, $flags, $mode) = @_;
  my $how = pack('QQQ', $flags | $CLOEXEC, $mode // 0, $INSIDE);
  my $fd = syscall($OPENAT2, fileno($base), $path, $how, length $how);
  return if $fd < 0;
  open(my $handle, '<&=', $fd) or return;
  $handle;
}

# The handle of the folder above a path, and a path of its last name for calls that follow no link there
sub place {
  my $path = shift;
  open(my $root, '<', $mount) or return;
  my ($above, $name) = $path =~ m{^(?:(.*)/)?([^/]+)$}s or return;
  my $folder = defined $above ? open_inside($root, $above, 0) : $root;
  defined $folder ? ($folder, '/proc/self/fd/' . fileno($folder) . "/$name", $name) : ();
}

my %REPEAT = (
  F => sub {
    my ($folder, undef, $name) = @_;
    open_inside($folder, $name, $WRONLY | $CREAT | $EXCL, 0644) // changed($folder, $name);
  },
  D => sub { mkdir $_[1] },
  L => sub { symlink '-', $_[1] },
  U => sub { unlink $_[1] },
  R => sub { rmdir $_[1] },
  N => sub {
    my ($folder, $at, undef, $new) = @_;
    my ($above, $to) = place($new) or return;
    rename $at, $to;
  },
  M => sub { changed(@_[0, 2]) },
  A => sub {
    my ($folder, undef, $name) = @_;
    my $handle = open_inside($folder, $name, 0) // return;
    chmod((stat $handle)[2] & 07777, $handle);
  },
);

# A file gets the size that it has: IN_MODIFY, then IN_CLOSE_WRITE.
sub changed {
  my $handle = open_inside($_[0], $_[1], $WRONLY) // return;
  open(my $writable, '>&=', $handle) or return;
  truncate($writable, -s $writable);
}

sub repeat {
  my ($number, $letter, $path, $new) = split /\0/, $_[0];
  my @place = place($path);
  $REPEAT{$letter}->(@place, $new) if @place && $REPEAT{$letter};
  # Tells the server that this one is done.
  lstat "$mount/.sbx-event-$number";
}

my $held = '';
while (sysread(STDIN, $held, 65536, length $held)) {
  while (length $held >= $HEADER) {
    my $length = unpack('V', $held);
    last if length $held < $length;
    repeat(substr(substr($held, 0, $length, ''), $HEADER));
  }
}
