"""Prints a line for each entry of a folder: `manifest.py FOLDER [FIELD…]`. Fields besides kind, mode, name and content: owner, times, links."""
import hashlib, os, stat, sys


def content(path, found):
    if stat.S_ISLNK(found.st_mode):
        return "-> " + os.readlink(path)
    if not stat.S_ISREG(found.st_mode):
        return "-"
    with open(path, "rb") as file:
        return f"{found.st_size} {hashlib.sha256(file.read()).hexdigest()[:16]}"


def line(base, path, fields):
    found = os.lstat(path)
    parts = ["%06o" % found.st_mode, repr(os.path.relpath(path, base))]
    # What git writes there has the time in it.
    if "names" not in fields:
        parts.append(content(path, found))
    if "owner" in fields:
        parts.append(f"{found.st_uid}:{found.st_gid}")
    if "times" in fields:
        parts.append(str(found.st_mtime_ns))
    if "links" in fields:
        parts.append(str(found.st_nlink))
    return " ".join(parts)


def main():
    base, fields = sys.argv[1], sys.argv[2:]
    for folder, folders, files in os.walk(base):
        folders.sort()
        if ".git" in folders and "names" not in fields:
            folders.remove(".git")
        for name in sorted([*folders, *files]):
            print(line(base, os.path.join(folder, name), fields))


main()
