"""Objects of CPython, arrays, threads and memory of its own; prints whose each piece is."""

import ctypes
import mmap
import sys
import threading

say = sys.stdout.write
small = [[n] for n in range(60000)]
texts = ["x" * (n % 400) for n in range(20000)]
blocks = [bytearray(1 << 20) for _ in range(20)]
own = [mmap.mmap(-1, (n + 1) << 18, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for n in range(8)]
for memory in own:
    memory.write(b"x" * len(memory))
threads = [threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
for thing in small[::7] + texts[::7]:
    if sys.getsizeof(thing) <= 448:
        say("T %x %x python-arena\n" % (id(thing), id(thing) + sys.getsizeof(thing)))
for block in blocks:
    at = ctypes.addressof((ctypes.c_char * len(block)).from_buffer(block))
    say("T %x %x malloc-large-block|malloc-heap|malloc-arena\n" % (at, at + len(block)))
for memory in own:
    at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    say("T %x %x own\n" % (at, at + len(memory)))
try:
    import numpy
except ImportError:
    arrays = []
else:
    arrays = [numpy.ones((n + 1) << 17) for n in range(12)]
for array in arrays:
    at = array.ctypes.data
    say("T %x %x malloc-large-block|malloc-heap\n" % (at, at + array.nbytes))
say("ready\n")
sys.stdout.flush()
sys.stdin.read()
