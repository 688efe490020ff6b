"""A file system whose server stops answering: run in a mount namespace of its own as root.

Serves one file over /dev/fuse (include/uapi/linux/fuse.h), has a child map it, says the child's id, and
answers until it is stopped. Arguments: the folder to mount on, and the program to serve, which is to
wait for standard input.
"""

import ctypes
import mmap
import os
import struct
import sys
from pathlib import Path

LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET = (
    1,
    2,
    3,
    14,
    15,
    18,
    25,
    26,
    36,
    42,
)
NO_ANSWER = {FORGET, INTERRUPT, BATCH_FORGET}
IN, OUT = struct.Struct("=IIQQIIIHH"), struct.Struct("=IiQ")
ENOENT, ENOSYS = 2, 38
FILE = 2
NAME = "program"


def attributes(node: int, size: int) -> bytes:
    mode = 0o100755 if node == FILE else 0o40755
    return struct.pack("=6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode: int, node: int, body: bytes, content: bytes) -> bytes | int:
    size = len(content) if node == FILE or opcode == LOOKUP else 0
    if opcode == INIT:
        return struct.pack("=IIIIHHIIHHI7I", 7, 31, 1 << 16, 0, 16, 12, 1 << 17, 1, 32, 0, 0, *[0] * 7)
    if opcode == LOOKUP:
        return (
            -ENOENT
            if body != NAME.encode() + b"\0"
            else struct.pack("=4Q2I", FILE, 1, 0, 0, 0, 0) + attributes(FILE, size)
        )
    if opcode == GETATTR:
        return struct.pack("=QII", 0, 0, 0) + attributes(node, size)
    if opcode == OPEN:
        return struct.pack("=QII", 1, 0, 0)
    if opcode == READ:
        _, offset, length = struct.unpack_from("=QQI", body)
        return content[offset : offset + length]
    return 0 if opcode in {RELEASE, FLUSH} else -ENOSYS


def serve(device: int, content: bytes) -> None:
    while request := os.read(device, 1 << 18):
        length, opcode, unique, node, *_ = IN.unpack_from(request)
        if opcode in NO_ANSWER:
            continue
        said = answer(opcode, node, request[IN.size : length], content)
        data, error = (b"", said) if isinstance(said, int) else (said, 0)
        os.write(device, OUT.pack(OUT.size + len(data), error, unique) + data)


def run(path: str) -> None:
    """Run the file in one process and map it in another; say the ids of both when it is done."""
    reading, writing = os.pipe()  # closed by exec
    program = os.fork()
    if program == 0:
        os.execv(path, [path])  # noqa: S606
    os.close(writing)
    os.read(reading, 1)
    with open(path, "rb") as file:  # noqa: PTH123
        large = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    print(program, os.getpid(), large[0], flush=True)
    sys.stdin.read()


def main() -> None:
    folder, source = sys.argv[1:]
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"stalling", folder.encode(), b"fuse", 0, options.encode()):
        sys.exit(os.strerror(ctypes.get_errno()))
    content = Path(source).read_bytes().ljust(17 << 20, b"\0")  # large enough to be asked of the page cache
    if os.fork() == 0:
        os.close(device)
        run(f"{folder}/{NAME}")
        os._exit(0)
    serve(device, content)


if __name__ == "__main__":
    main()
