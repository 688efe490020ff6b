"""The process that a command line names: a number, or ``name:NAME`` for the only one of that name."""

from vmdiff.errors import InputError

_LARGEST = 2**31 - 1  # pid_t


def process_number(target: str) -> int:
    """Return the number of the process that *target* names.

    Raises:
        InputError: it names none, or several have the name.
        ProcessError: no process has the name.
    """
    if not (target.isascii() and target.isdigit()):
        from vmdiff.recording.followed import follow  # what a number does not need

        return follow(target).pid
    if not 1 <= int(target[:20]) <= _LARGEST:
        raise InputError(f"{target[:20]}: process numbers are 1 to {_LARGEST:,}")
    return int(target)
