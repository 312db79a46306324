"""Runs a table of file operations below a folder and prints the result of each: `posix.py FOLDER < posix-cases.txt`.

A line is `name: operation; operation`. Each case has a folder of its own. `@UID` before an operation runs it as that user (root only).
Handles are numbers that the case chooses. The answer to an operation is `ok`, a value, or the name of the errno.
"""
import ctypes, errno, os, stat, sys

libc = ctypes.CDLL(None, use_errno=True)
RENAME = {"NOREPLACE": 1, "EXCHANGE": 2}
AT_EMPTY_PATH, AT_FDCWD = 0x1000, -100
handles = {}

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "sock",
         stat.S_IFCHR: "chr", stat.S_IFBLK: "blk"}


def path(text):
    """`long:N` is a name of N bytes, `deep:N` a path of N bytes, `bytes:HEX` a name that is no text; all may stand within a path."""
    if text.startswith("deep:"):
        return ("a/" * 4096)[: int(text[5:])]
    parts = []
    for part in text.split("/"):
        kind, _, value = part.partition(":")
        if kind == "long":
            parts.append("n" * int(value))
        elif kind == "bytes":
            parts.append(os.fsdecode(bytes.fromhex(value)))
        else:
            parts.append("" if part == "''" else part)
    return "/".join(parts)


def flags(text):
    value = 0
    for name in text.split("|"):
        value |= getattr(os, "O_" + name) if name != "TMPFILE" else os.O_TMPFILE
    return value


def syscall(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def shown(found, fields):
    known = {"kind": KINDS[stat.S_IFMT(found.st_mode)], "mode": "%04o" % stat.S_IMODE(found.st_mode), "nlink": found.st_nlink,
             "size": found.st_size, "uid": found.st_uid, "gid": found.st_gid, "mtime": found.st_mtime_ns,
             "atime": found.st_atime_ns, "rdev": found.st_rdev}
    return ",".join(str(known[field]) for field in fields.split(","))


def op_open(handle, name, flag, mode="0644"):
    handles[handle] = os.open(path(name), flags(flag), int(mode, 8))


def op_openat(handle, folder, name, flag, mode="0644"):
    handles[handle] = os.open(path(name), flags(flag), int(mode, 8), dir_fd=handles[folder])


def op_close(handle):
    os.close(handles.pop(handle))


def op_exchange_times(name, access, modification):
    os.utime(path(name), ns=(int(access), int(modification)))


def op_utime_of_part(name, access, modification):
    class Time(ctypes.Structure):
        _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]

    part = {"now": (0, 0x3FFFFFFF), "omit": (0, 0x3FFFFFFE)}
    both = [part[t] if t in part else (int(t), 0) for t in (access, modification)]
    syscall(libc.utimensat(AT_FDCWD, os.fsencode(path(name)), (Time * 2)(*[Time(*t) for t in both]), 0))


def op_rename2(old, new, flag):
    value = 0
    for name in flag.split("|"):
        value |= RENAME[name]
    syscall(libc.renameat2(AT_FDCWD, os.fsencode(path(old)), AT_FDCWD, os.fsencode(path(new)), value))


def op_give_name(handle, name):
    """A name for a file of O_TMPFILE, as a program without capabilities gives it"""
    os.link(f"/proc/self/fd/{handles[handle]}", path(name), follow_symlinks=True)


def op_chmod_link(name, mode):
    os.chmod(path(name), int(mode, 8), follow_symlinks=False)


def op_attribute(name, key, value):
    os.setxattr(path(name), key, value.encode())


def op_mtime_moves(name, operation, *arguments):
    """Whether an operation changes mtime and ctime: both are set back before."""
    os.utime(path(name), ns=(10**18, 10**18))
    before = os.lstat(path(name))
    run([operation, *arguments])
    after = os.lstat(path(name))
    return f"mtime {after.st_mtime_ns != before.st_mtime_ns}, ctime {after.st_ctime_ns >= before.st_ctime_ns}"


def op_same(one, other):
    one, other = os.lstat(path(one)), os.lstat(path(other))
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


OPERATIONS = {
    "open": op_open, "openat": op_openat, "close": op_close, "rename2": op_rename2, "times": op_exchange_times,
    "times-of": op_utime_of_part, "give-name": op_give_name, "lchmod": op_chmod_link, "setxattr": op_attribute,
    "moves": op_mtime_moves, "same": op_same,
    "mkdir": lambda name, mode="0755": os.mkdir(path(name), int(mode, 8)),
    "mkfifo": lambda name, mode="0644": os.mkfifo(path(name), int(mode, 8)),
    "mknod": lambda name, kind, mode="0644", device="0": os.mknod(path(name), getattr(stat, kind) | int(mode, 8), int(device)),
    "link": lambda old, new: os.link(path(old), path(new), follow_symlinks=False),
    "link-followed": lambda old, new: os.link(path(old), path(new), follow_symlinks=True),
    "symlink": lambda target, new: os.symlink(path(target), path(new)),
    "readlink": lambda name: os.readlink(path(name))[:40],
    "rename": lambda old, new: os.rename(path(old), path(new)),
    "unlink": lambda name: os.unlink(path(name)),
    "rmdir": lambda name: os.rmdir(path(name)),
    "chmod": lambda name, mode: os.chmod(path(name), int(mode, 8)),
    "fchmod": lambda handle, mode: os.fchmod(handles[handle], int(mode, 8)),
    "chown": lambda name, uid, gid: os.chown(path(name), int(uid), int(gid)),
    "lchown": lambda name, uid, gid: os.lchown(path(name), int(uid), int(gid)),
    "fchown": lambda handle, uid, gid: os.fchown(handles[handle], int(uid), int(gid)),
    "truncate": lambda name, size: os.truncate(path(name), int(size)),
    "ftruncate": lambda handle, size: os.ftruncate(handles[handle], int(size)),
    "write": lambda handle, text: os.write(handles[handle], text.encode()),
    "pwrite": lambda handle, text, at: os.pwrite(handles[handle], text.encode(), int(at)),
    "read": lambda handle, size="100": os.pread(handles[handle], int(size), 0).decode() or "''",
    "seek": lambda handle, at, whence="SET": os.lseek(handles[handle], int(at), getattr(os, "SEEK_" + whence)),
    "allocate": lambda handle, at, size: os.posix_fallocate(handles[handle], int(at), int(size)),
    "sync": lambda handle: os.fsync(handles[handle]),
    "stat": lambda name, fields="kind,mode,nlink,size": shown(os.stat(path(name)), fields),
    "lstat": lambda name, fields="kind,mode,nlink,size": shown(os.lstat(path(name)), fields),
    "fstat": lambda handle, fields="kind,mode,nlink,size": shown(os.fstat(handles[handle]), fields),
    "access": lambda name, mode: os.access(path(name), sum({"r": 4, "w": 2, "x": 1}[m] for m in mode)),
    "list": lambda name: " ".join(sorted(os.listdir(path(name)))) or "''",
    "getxattr": lambda name, key: os.getxattr(path(name), key).decode(),
    "listxattr": lambda name: " ".join(os.listxattr(path(name))) or "''",
    "removexattr": lambda name, key: os.removexattr(path(name), key),
    "umask": lambda mode: os.umask(int(mode, 8)) and None,
    "chdir": lambda name: os.chdir(path(name)),
    "getcwd": lambda: os.path.basename(os.getcwd()),
}


def run(words):
    return OPERATIONS[words[0]](*words[1:])


def answer(words):
    try:
        value = run(words)
        return "ok" if value is None else str(value)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    except KeyError:
        return "was not opened"


def answer_as(uid, words):
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        os.write(writable, answer(words).encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as said:
        text = said.read()
    os.waitpid(child, 0)
    return text


def run_case(folder, operations):
    os.mkdir(folder, 0o777)
    os.chmod(folder, 0o777)
    os.chdir(folder)
    os.umask(0o022)
    answers = []
    for operation in operations.split(";"):
        words = operation.split()
        uid = int(words.pop(0)[1:]) if words[0].startswith("@") else None
        answers.append(answer(words) if uid is None else answer_as(uid, words))
    for handle in handles.values():
        os.close(handle)
    handles.clear()
    return answers


def main():
    base = os.path.abspath(sys.argv[1])
    sys.stdout.reconfigure(encoding="ascii", errors="backslashreplace")
    is_root = os.geteuid() == 0
    for number, line in enumerate(sys.stdin):
        name, separator, operations = line.strip().partition(": ")
        if not separator or (name.startswith("not root") and is_root) or (("@" in operations or name.startswith("root")) and not is_root):
            continue
        for operation, said in zip(operations.split(";"), run_case(f"{base}/{number}", operations)):
            print(f"{name}: {operation.strip()} -> {said}")


main()
