# Signs a file for git by the ssh agent of the host: perl git-sign.pl -Y sign -n git -f KEY [-U] FILE
#
# It takes the place of ssh-keygen for `gpg.ssh.program`: KEY is the file of a public key, the signature goes to FILE.sig. The agent's protocol is
# spoken through the egress proxy with a filter on the host, which signs nothing but this. What it refuses has a reason after the number of
# the failure. Only built-in functions are used.
$| = 1;
my ($PROXY, $PORT) = ('10.0.2.100', 3128);
my $SIGNER = 'git.sign.host.sbx:22';
my @SHA512 = ('/opt/sbx/bin/busybox', 'sha512sum');
# Longer than a user may take to confirm
my $SECONDS = 90;
my ($FAILURE, $SIGN_REQUEST, $SIGN_RESPONSE, $RSA_SHA512) = (5, 13, 14, 4);

sub fail { print STDERR "sbx: $_[0]\n"; exit 1; }
sub field { return pack('N', length $_[0]) . $_[0]; }

my %value;
my $file;
while (@ARGV) {
  my $word = shift @ARGV;
  if ($word =~ /^-[Ynf]$/) { $value{$word} = shift @ARGV; }
  elsif ($word ne '-U') { $file = $word; }
}
fail('usage: git-sign -Y sign -n git -f KEY FILE') if !defined $file || !defined $value{'-f'} || !defined $value{'-n'};

my $key = read_key($value{'-f'});
my $hash = sha512($file);
my $parts = field($value{'-n'}) . field('') . field('sha512');
my $signature = ask_signature($key, 'SSHSIG' . $parts . field($hash));
my $armor = base64('SSHSIG' . pack('N', 1) . field($key) . $parts . field($signature));
$armor =~ s/(.{1,70})/$1\n/g;
open(OUT, '>', "$file.sig") && print(OUT "-----BEGIN SSH SIGNATURE-----\n$armor-----END SSH SIGNATURE-----\n") && close(OUT)
  or fail("$file.sig: $!");

sub read_key {
  open(KEY, '<', $_[0]) or fail("the public key $_[0]: $!");
  my $line = <KEY>;
  close(KEY);
  my (undef, $text) = split(' ', $line);
  return unbase64($text);
}

sub sha512 {
  # Not as an option, whatever its name is
  open(SUM, '-|', @SHA512, '--', $_[0]) or fail("@SHA512: $!");
  my $line = <SUM>;
  close(SUM);
  $line =~ /^([0-9a-f]{128}) / or fail("the hash of $_[0] could not be computed");
  return pack('H*', $1);
}

sub ask_signature {
  my ($blob, $data) = @_;
  $SIG{ALRM} = sub { fail("the host gave no signature within $SECONDS s"); };
  alarm $SECONDS;
  connect_signer();
  my $flags = substr($blob, 4, 7) eq 'ssh-rsa' ? $RSA_SHA512 : 0;
  put(field(pack('C', $SIGN_REQUEST) . field($blob) . field($data) . pack('N', $flags)));
  my $answer = get(unpack('N', get(4)));
  my ($type, $length) = unpack('CN', $answer);
  my $text = substr($answer, 5, $length);
  fail("the commit was not signed: $text") if $type == $FAILURE && length $text;
  fail('the commit was not signed: the host refused') if $type != $SIGN_RESPONSE;
  return $text;
}

# AF_INET, SOCK_STREAM
sub connect_signer {
  socket(LINE, 2, 1, 0) or fail("socket: $!");
  connect(LINE, pack('S n C4 x8', 2, $PORT, split(/\./, $PROXY))) or fail("the egress proxy does not answer: $!");
  put("CONNECT $SIGNER HTTP/1.1\r\nHost: $SIGNER\r\n\r\n");
  my $head = '';
  $head .= get(1) until $head =~ /\r\n\r\n$/ || length $head > 16384;
  return if $head =~ m{^HTTP/1\.[01] 200 };
  my $text = '';
  sysread(LINE, $text, 4096);
  $text =~ s/^sbx: //;
  $text =~ s/\n+$//;
  fail($text || 'the egress proxy refused');
}

sub put { syswrite(LINE, $_[0]) == length $_[0] or fail("the host: $!"); }

sub get {
  my $bytes = '';
  while (length $bytes < $_[0]) {
    my $count = sysread(LINE, $bytes, $_[0] - length $bytes, length $bytes);
    fail('the host closed the connection: `sbx net log` there says why') if !$count;
  }
  return $bytes;
}

# Uuencoding is base64 with other characters and a length before each line.
sub base64 {
  my $text = '';
  for (my $at = 0; $at < length $_[0]; $at += 45) {
    my $line = pack('u', substr($_[0], $at, 45));
    $text .= substr($line, 1, -1);
  }
  $text =~ tr{` -_}{AA-Za-z0-9+/};
  my $padding = (3 - length($_[0]) % 3) % 3;
  substr($text, -$padding) = '=' x $padding if $padding;
  return $text;
}

sub unbase64 {
  my $text = $_[0];
  $text =~ tr{A-Za-z0-9+/}{}cd;
  $text =~ tr{A-Za-z0-9+/}{ -_};
  my $bytes = '';
  $bytes .= unpack('u', chr(32 + int(length($1) * 3 / 4)) . $1) while $text =~ s/^(.{1,60})//;
  return $bytes;
}
