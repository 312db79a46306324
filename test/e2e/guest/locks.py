"""Locks among processes: `locks.py FOLDER`. Prints a line for each rule that holds, or fails."""
import fcntl, os, signal, sqlite3, struct, sys, time

ROUNDS, WRITERS = 60, 3


def forked(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(f"child: {error!r}", flush=True)
            os._exit(1)
    return pid


def wait(*pids):
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0, "a child failed"


def is_free(path, lock, flags):
    """Whether another process could have the lock"""
    def attempt():
        with open(path, "r+") as file:
            lock(file, flags | fcntl.LOCK_NB)

    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            attempt()
            os.write(writable, b"1")
        except BlockingIOError:
            os.write(writable, b"0")
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writable)
    with os.fdopen(readable) as said:
        return said.read() == "1"


def counted(path, lock):
    """A counter that only a lock keeps right"""
    open(path, "w").write("0")

    def work():
        for _ in range(ROUNDS):
            with open(path, "r+") as file:
                lock(file, fcntl.LOCK_EX)
                value = int(file.read())
                file.seek(0)
                file.write(str(value + 1))
                file.flush()

    wait(*[forked(work) for _ in range(WRITERS)])
    assert int(open(path).read()) == ROUNDS * WRITERS, open(path).read()


def conflicts(path, lock):
    open(path, "w").close()
    with open(path, "r+") as file:
        lock(file, fcntl.LOCK_SH)
        assert is_free(path, lock, fcntl.LOCK_SH) and not is_free(path, lock, fcntl.LOCK_EX)
        lock(file, fcntl.LOCK_EX)
        assert not is_free(path, lock, fcntl.LOCK_SH)
        lock(file, fcntl.LOCK_UN)
        assert is_free(path, lock, fcntl.LOCK_EX)
        lock(file, fcntl.LOCK_EX)
    assert is_free(path, lock, fcntl.LOCK_EX), "closed, and still locked"


def of_the_dead(path, lock):
    open(path, "w").close()
    readable, writable = os.pipe()

    def hold():
        file = open(path, "r+")
        lock(file, fcntl.LOCK_EX)
        os.write(writable, b"x")
        time.sleep(600)

    pid = forked(hold)
    os.read(readable, 1)
    assert not is_free(path, lock, fcntl.LOCK_EX)
    waiter = forked(lambda: lock(open(path, "r+"), fcntl.LOCK_EX))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait(waiter)


def ranges(path):
    open(path, "w").write("x" * 100)
    part = lambda start, size: lambda file, flags: fcntl.lockf(file, flags, size, start)
    with open(path, "r+") as file:
        part(10, 10)(file, fcntl.LOCK_EX)
        assert is_free(path, part(0, 10), fcntl.LOCK_EX) and is_free(path, part(20, 0), fcntl.LOCK_EX)
        assert not is_free(path, part(19, 5), fcntl.LOCK_SH)
        part(12, 2)(file, fcntl.LOCK_UN)
        assert is_free(path, part(12, 2), fcntl.LOCK_EX) and not is_free(path, part(11, 2), fcntl.LOCK_EX)
        assert holder(path) == os.getpid()
        # Any close of the file gives a process's locks away.
        open(path).close()
        assert is_free(path, part(0, 0), fcntl.LOCK_EX)


def holder(path):
    """Who holds a POSIX lock, as another process is told"""
    readable, writable = os.pipe()

    def ask():
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
        with open(path, "r+") as file:
            os.write(writable, fcntl.fcntl(file, fcntl.F_GETLK, asked))

    wait(forked(ask))
    return struct.unpack("hhqqi4x", os.read(readable, 100))[4]


def of_open_files(path):
    """Locks that belong to an open file, not to a process"""
    def lock(file, flags):
        kind = fcntl.F_WRLCK if flags & fcntl.LOCK_EX else fcntl.F_RDLCK
        fcntl.fcntl(file, 37, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))

    open(path, "w").close()
    with open(path, "r+") as one, open(path, "r+") as other:
        lock(one, fcntl.LOCK_EX)
        try:
            lock(other, fcntl.LOCK_EX)
            raise AssertionError("two open files have one lock")
        except BlockingIOError:
            pass
        assert not is_free(path, lock, fcntl.LOCK_SH)


def sqlite_writers(path, seconds):
    """Three writers and a reader of one database in WAL mode"""
    database = sqlite3.connect(path)
    assert database.execute("pragma journal_mode=wal").fetchone()[0] == "wal"
    database.execute("create table rows (writer, number, filler)")
    database.commit()
    database.close()
    until = time.monotonic() + seconds
    wait(*[forked(lambda name=name: sqlite_writer(path, name, until)) for name in range(WRITERS)], forked(lambda: sqlite_reader(path, until)))
    database = sqlite3.connect(path)
    assert database.execute("pragma integrity_check").fetchone()[0] == "ok"
    each = database.execute("select writer, count(*), max(number) + 1 from rows group by writer").fetchall()
    assert len(each) == WRITERS and all(count == last for _, count, last in each), each
    database.close()


def sqlite_writer(path, name, until):
    database = sqlite3.connect(path, timeout=60, isolation_level=None)
    number = 0
    while number == 0 or time.monotonic() < until:
        database.execute("begin immediate")
        for _ in range(5):
            database.execute("insert into rows values (?, ?, ?)", (name, number, "x" * 200))
            number += 1
        database.execute("commit")
    database.close()


def sqlite_reader(path, until):
    database = sqlite3.connect(path, timeout=60)
    before = 0
    while time.monotonic() < until:
        count = database.execute("select count(*) from rows").fetchone()[0]
        # A transaction is seen whole, and is there from then on.
        assert count >= before and count % 5 == 0, (before, count)
        before = count
    database.close()


def main():
    folder, seconds = sys.argv[1], float(sys.argv[2])
    for name, lock in (("flock", fcntl.flock), ("lockf", fcntl.lockf)):
        for rule in (counted, conflicts, of_the_dead):
            rule(f"{folder}/{name}-{rule.__name__}", lock)
            print(name, rule.__name__, flush=True)
    for rule in (ranges, of_open_files):
        rule(f"{folder}/{rule.__name__}")
        print(rule.__name__, flush=True)
    sqlite_writers(f"{folder}/database", seconds)
    print("sqlite_writers", flush=True)


main()
