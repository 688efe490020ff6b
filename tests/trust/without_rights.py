"""Python that runs vmdiff as somebody else: what it needs is loaded before.

A user of the machine may not be let into the folder of this checkout, nor into Python's.
"""

BEGIN = """
import contextlib, ctypes, json, os, signal, struct, subprocess
import vmdiff.capture.freeze, vmdiff.capture.memory_copy
from vmdiff.cli import main
from vmdiff.errors import ProcessError
from vmdiff.capture import ProcessFolder, read
libc = ctypes.CDLL(None, use_errno=True)
with subprocess.Popen(["sleep", "1000"]) as quiet:
    with contextlib.suppress(SystemExit):
        main(["snap", str(quiet.pid), "-o", "/dev/null"])
    quiet.kill()
"""
