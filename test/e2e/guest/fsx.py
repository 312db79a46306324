"""Random changes of a file, each compared with a model in memory: `fsx.py FOLDER SEED OPERATIONS PROCESSES`.

Each process has files of its own. A failure prints the seed and the last operations, and ends with 1.
"""
import ctypes, errno, mmap, os, random, sys

SIZE_MAX = 192 * 1024
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
libc = ctypes.CDLL(None, use_errno=True)


class Difference(Exception):
    pass


class File:
    def __init__(self, path, rng):
        self.path, self.rng = path, rng
        self.model = bytearray()
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self.log = []

    def span(self, size_max):
        at = self.rng.randrange(size_max)
        return at, min(self.rng.choice((1, 37, 4096, 5000, 65536)), size_max - at)

    def within(self):
        return self.span(len(self.model)) if self.model else None

    def bytes(self, size):
        return bytes([self.rng.randrange(1, 256)]) * size

    def grow(self, size):
        self.model.extend(bytes(max(0, size - len(self.model))))

    def put(self, at, data):
        self.grow(at + len(data))
        self.model[at : at + len(data)] = data

    def expect(self, what, got, wanted):
        if got != wanted:
            first = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
            raise Difference(f"{what}: {len(got)} bytes, wanted {len(wanted)}, first difference at {first}")

    def write(self):
        at, size = self.span(SIZE_MAX)
        data = self.bytes(size)
        if os.pwrite(self.fd, data, at) != size:
            raise Difference("short write")
        self.put(at, data)
        return at, size

    def append(self):
        data = self.bytes(min(700, SIZE_MAX - len(self.model)))
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        os.write(fd, data)
        os.close(fd)
        self.put(len(self.model), data)
        return len(data)

    def read(self):
        at, size = self.span(SIZE_MAX)
        self.expect("read", os.pread(self.fd, size, at), bytes(self.model[at : at + size]))
        return at, size

    def truncate(self):
        size = self.rng.randrange(SIZE_MAX)
        os.truncate(self.path, size) if size % 2 else os.ftruncate(self.fd, size)
        self.grow(size)
        del self.model[size:]
        return size

    def mapped_read(self):
        if (span := self.within()) is None:
            return None
        at, size = span
        with mmap.mmap(self.fd, len(self.model), prot=mmap.PROT_READ) as mapped:
            self.expect("mapped read", mapped[at : at + size], bytes(self.model[at : at + size]))
        return span

    def mapped_write(self):
        if (span := self.within()) is None:
            return None
        at, size = span
        data = self.bytes(size)
        with mmap.mmap(self.fd, len(self.model)) as mapped:
            mapped[at : at + size] = data
            if self.rng.random() < 0.5:
                mapped.flush()
        self.put(at, data)
        return span

    def allocate(self, mode):
        at, size = self.span(SIZE_MAX)
        if libc.fallocate64(self.fd, mode, ctypes.c_long(at), ctypes.c_long(size)) != 0:
            raise OSError(ctypes.get_errno(), "fallocate")
        if not mode & KEEP_SIZE:
            self.grow(at + size)
        if mode & (PUNCH_HOLE | ZERO_RANGE):
            end = min(at + size, len(self.model))
            self.model[at:end] = bytes(max(0, end - at))
        return at, size

    def extend(self):
        return self.allocate(0)

    def punch(self):
        return self.allocate(PUNCH_HOLE | KEEP_SIZE)

    def zero(self):
        return self.allocate(ZERO_RANGE)

    def copy(self):
        if (span := self.within()) is None:
            return None
        at, size = span
        to = self.rng.randrange(SIZE_MAX - size)
        if at < to + size and to < at + size:
            return None
        done = 0
        while done < size:
            done += os.copy_file_range(self.fd, self.fd, size - done, at + done, to + done)
        self.put(to, bytes(self.model[at : at + size]))
        return at, to, size

    def holes(self):
        """Between the parts that `lseek` reports as data there are zeros only."""
        at, end = 0, len(self.model)
        while at < end:
            try:
                data = os.lseek(self.fd, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                data = end
            self.expect("hole", bytes(self.model[at:data]), bytes(data - at))
            at = os.lseek(self.fd, data, os.SEEK_HOLE) if data < end else end
        return None

    def reopen(self):
        os.close(self.fd)
        self.fd = os.open(self.path, os.O_RDWR)
        return None

    def sync(self):
        os.fsync(self.fd)
        return None

    def rename(self):
        name = self.path[:-1] + ("b" if self.path[-1] == "a" else "a")
        os.rename(self.path, name)
        self.path = name
        return None

    def whole(self):
        with open(self.path, "rb") as file:
            self.expect("whole file", file.read(), bytes(self.model))
        if os.stat(self.path).st_size != len(self.model):
            raise Difference("size")
        return None

    def run(self, operations):
        weighted = [self.write] * 4 + [self.read] * 3 + [self.mapped_read, self.mapped_write] * 2
        weighted += [self.append, self.truncate, self.extend, self.punch, self.zero, self.copy, self.holes, self.reopen]
        weighted += [self.sync, self.rename, self.whole]
        for _ in range(operations):
            operation = self.rng.choice(weighted)
            self.log.append([operation.__name__, None])
            self.log[-1][1] = operation()
        self.whole()


def child(folder, seed, operations):
    file = File(f"{folder}/file-{seed}-a", random.Random(seed))
    try:
        file.run(operations)
        return 0
    except (Difference, OSError) as error:
        print(f"seed {seed}: {error!r} after {len(file.log)} operations: {file.log[-12:]}", flush=True)
        return 1


def main():
    folder, (seed, operations, processes) = sys.argv[1], map(int, sys.argv[2:])
    pids = []
    for number in range(processes):
        pid = os.fork()
        if pid == 0:
            os._exit(child(folder, seed + number, operations))
        pids.append(pid)
    failed = [pid for pid in pids if os.waitpid(pid, 0)[1] != 0]
    print(f"{operations * processes} operations, {len(failed)} of {processes} processes failed")
    sys.exit(1 if failed else 0)


main()
