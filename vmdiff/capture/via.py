"""Processes that a command reaches (ssh, docker exec, kubectl exec, adb shell, sudo): their text files.

The command's words are run as they are, without a shell of ours, with ``sh -c SCRIPT`` after them. What comes
back is another machine's word: it is bounded, it must bear the mark that was drawn for this run, and it
must frame every process that was asked for, whole.

Facts: ssh(1) and ``adb shell`` join the words of their command with blanks for a shell there, which takes the
quotes off once; docker, kubectl, nsenter and sudo pass words on as they are.
"""

import os
import secrets
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from typing import IO

from vmdiff.capture.collector_script import MARK, SCRIPT
from vmdiff.errors import InputError, ProcessError
from vmdiff.importers.bundle.bundle_reader import processes
from vmdiff.importers.bundle.frames import Framed
from vmdiff.importers.pasted.lines import LONGEST_TEXT, cut_into_lines, decode

_JOINS_WORDS = frozenset({"ssh", "adb", "dbclient", "plink", "rsh"})
_LARGEST = 2**31 - 1  # pid_t
_PIECE = 1 << 20


def collected(command: str, targets: Sequence[str]) -> list[Framed]:
    """Run the collector by a command; return what it printed of each process, by the order of *targets*.

    Raises:
        InputError: a target is no process number, or the command has no words.
        ProcessError: the command cannot be run, or what it printed is not whole.
    """
    pids = [_number(target) for target in targets]
    mark = secrets.token_hex(4)
    data, status = _run(words(command, pids, mark), command)
    found = [one for one in processes(cut_into_lines(decode(data, command), command)) if one.mark == mark]
    if not found:
        raise ProcessError(f"{command}: {_instead(data, status)}")
    told = {one.pid: one for one in found if one.done}
    lost = [pid for pid in pids if pid not in told]
    if lost or len(found) != len(set(pids)):
        what = f"process {lost[0]}" if lost else "what was asked for"
        raise ProcessError(f"{command}: what it printed ends before the end of {what}{_ended(status)}")
    return [told[pid] for pid in dict.fromkeys(pids)]


def words(command: str, pids: Sequence[int], mark: str) -> list[str]:
    """Return the words to run: those of the command, and the script with its arguments.

    Raises:
        InputError: they cannot be told apart, or there are none.
    """
    try:
        prefix = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--via: {command}: {error}") from error
    if not prefix:
        raise InputError("--via: expected a command that runs sh elsewhere, such as 'ssh db1'")
    script = [f"{MARK}={mark}", *SCRIPT.rstrip("\n").split("\n")]
    added = ["sh", "-c", "\n".join(script), "collector", *map(str, pids)]
    for _ in range(_shells_between(prefix)):
        added = [shlex.quote(word) for word in added]
    return [*prefix, *added]


def _shells_between(prefix: Sequence[str]) -> int:
    """Count the commands that join words: each has a shell take quotes off."""
    every = (word for words in prefix for word in words.split())
    return sum(os.path.basename(word) in _JOINS_WORDS for word in every)  # noqa: PTH119


def _number(target: str) -> int:
    if not (target.isascii() and target.isdigit()) or not 1 <= int(target[:20]) <= _LARGEST:
        raise InputError(f"{target[:60]}: with --via a process is a number, as the other side counts")
    return int(target)


def _run(argv: Sequence[str], command: str) -> tuple[bytes, int]:
    """Run a command; return what it printed and its exit status. Its own messages go to standard error."""
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ProcessError(f"{command}: {argv[0]}: {why}") from error
    with process:
        try:
            data = b"".join(_bounded(process.stdout, command))
        except BaseException:
            process.kill()
            raise
    return data, process.returncode


def _bounded(stream: IO[bytes] | None, command: str) -> Iterator[bytes]:
    """Yield what a command prints, up to the longest text that vmdiff reads."""
    length = 0
    while stream and (piece := stream.read(_PIECE)):
        length += len(piece)
        if length > LONGEST_TEXT:
            raise ProcessError(f"{command}: printed more than {LONGEST_TEXT:,} bytes")
        yield piece


def _instead(data: bytes, status: int) -> str:
    """Return what there was where the collector's text should be."""
    lines = data.decode(errors="backslashreplace").split("\n")
    first = next((line.strip() for line in lines if line.strip()), None)
    printed = "printed nothing" if first is None else f"printed {first[:60]!r}"
    return f"{printed} instead of a process's files{_ended(status)}; it must run sh there"


def _ended(status: int) -> str:
    return f" (exit status {status})" if status > 0 else f" (signal {-status})" if status else ""
