# Runs the Docker engine of a guest that has one, for as long as the VM lives: perl docker.pl ARCH
#
# The socket is there from the start, and stays when the engine starts again: a client waits for the engine, and does not fail. The engine gets
# it as descriptor 3, in the way of systemd's socket activation. It starts once the guest has its identity and folders: see START_DOCKER in operations.ts.
$| = 1;
# In lists of processes, instead of the text of this script
$0 = 'sbx-docker';

my $DUP3 = $ARGV[0] eq 'arm64' ? 24 : 292;
my $CLOEXEC = 02000000;
my ($socket, $start, $log, $groups) = ('/run/docker.sock', '/run/sbx/docker', '/var/log/docker.log', '/sys/fs/cgroup');

sub say_once { print "sbx-docker: $_[0]\n"; }

sub put {
  my ($path, $text) = @_;
  my $file;
  open($file, '>', $path) && syswrite($file, $text) or say_once("$path: $!");
}

# Below the limits of all commands, beside those: what containers take is taken from them, and never from the guest agent.
put("$groups/cgroup.subtree_control", '+memory +pids +cpu');
mkdir $_ for "$groups/work", "$groups/work/docker-engine";
put("$groups/work/docker-engine/cgroup.procs", '0');

# AF_UNIX, SOCK_STREAM
socket(my $listener, 1, 1, 0) or die "socket: $!";
unlink $socket;
umask 0117;
bind($listener, pack('Sa108', 1, $socket)) && listen($listener, 128) or die "$socket: $!";
umask 022;
if (open(my $file, '<', '/etc/group')) {
  /^docker:[^:]*:(\d+):/ && chown(0, $1, $socket) while <$file>;
}

select(undef, undef, undef, 0.1) until -e $start;

$ENV{HTTP_PROXY} = $ENV{HTTPS_PROXY} = 'http://10.0.2.100:3128';
# What a container of this guest serves, such as a registry, is reached directly.
$ENV{NO_PROXY} = 'localhost,127.0.0.0/8,::1,10.0.2.15,172.16.0.0/12';
$ENV{LISTEN_FDS} = 1;
$ENV{HOME} = '/root';
unlink $log;
while (1) {
  my $pid = fork;
  defined $pid or die "fork: $!";
  if ($pid == 0) {
    open(STDIN, '<', '/dev/null');
    open(STDOUT, '>>', $log);
    open(STDERR, '>&', \*STDOUT);
    # The engine keeps descriptor 3 only, which it hands to none of its own programs.
    syscall($DUP3, fileno $listener, 50, $CLOEXEC);
    syscall($DUP3, 50, 3, 0);
    $ENV{LISTEN_PID} = $$;
    exec('/usr/sbin/dockerd', '-H', 'fd://') or exit 127;
  }
  waitpid($pid, 0);
  say_once('the engine ended with ' . ($? >> 8 || $? & 127) . ", see $log");
  select(undef, undef, undef, 1);
}
