"""A guest that runs out of memory while a file is written by a shared map: `pressure.py FILE PAGES`.

One process allocates until it is killed; another one writes every page of the file again and again, and once more in the end. Page N of the file
then begins with N in 8 bytes and is filled with its last byte.
"""
import mmap, os, signal, sys, time

PAGE = 4096
CHUNK = 16 << 20


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


def fill(view, pages, add):
    for page in range(pages):
        value = (page + add) & 255
        view[page * PAGE:(page + 1) * PAGE] = page.to_bytes(8, "little") + bytes([value]) * (PAGE - 8)


def write(path, pages, is_over):
    with open(path, "w+b") as file:
        file.truncate(pages * PAGE)
        with mmap.mmap(file.fileno(), pages * PAGE, mmap.MAP_SHARED) as view:
            rounds = 0
            while not is_over():
                rounds += 1
                fill(view, pages, rounds)
                view.flush()
            fill(view, pages, 0)
            view.flush()


def allocate():
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")
    held = []
    while True:
        held.append(bytearray(b"x") * CHUNK)


def main():
    path, pages = sys.argv[1], int(sys.argv[2])
    readable, writable = os.pipe()
    os.set_blocking(readable, False)

    def is_over():
        try:
            return os.read(readable, 1) != b""
        except BlockingIOError:
            return False

    writer = forked(lambda: write(path, pages, is_over))
    hog = forked(allocate)
    status = os.waitpid(hog, 0)[1]
    os.write(writable, b"x")
    print("allocating", "killed" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else status)
    print("writing", os.waitpid(writer, 0)[1])


main()
