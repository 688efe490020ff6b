"""Commands under strace."""

from collections.abc import Sequence


def traced(calls: str, command: Sequence[object], *options: str, log: object = "/dev/null") -> list[str]:
    """Return the command line that traces *calls*, at which alone the process is stopped.

    A seccomp filter finds them; without it strace stops the process at each of its thousands of calls.
    """
    tracing = ["strace", "-f", "--seccomp-bpf", "-e", f"trace={calls}", *options, "-o", str(log)]
    return [*tracing, *map(str, command)]
