"""What a thread's general registers say, as the kernel lays them out for debuggers and in core files.

Sources: struct user_regs_struct (arch/x86/include/asm/user_64.h and user_32.h), struct user_pt_regs
(arch/arm64/include/uapi/asm/ptrace.h); tcbhead_t of glibc (sysdeps/{x86_64,i386}/nptl/tls.h).
"""

from typing import NamedTuple


class RegisterLayout(NamedTuple):
    """A *number* of registers of *word* bytes, and which have the stack and the thread's block.

    *below* is how much a thread uses below its stack pointer, *guard_at* where in its block glibc keeps the
    number that it mixes saved pointers with; None where no register leads there.
    """

    word: int
    number: int
    stack: int
    below: int
    thread: int | None = None
    guard_at: int | None = None


# Told apart by their length: a 64-bit kernel has the 32-bit registers of a 32-bit program.
_LAYOUTS = {
    27 * 8: RegisterLayout(8, 27, stack=19, below=128, thread=21, guard_at=0x30),  # x86_64
    17 * 4: RegisterLayout(4, 17, stack=15, below=0),  # i386
    34 * 8: RegisterLayout(8, 34, stack=31, below=0),  # aarch64
}


class ThreadRegisters:
    """The registers of one thread."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._layout = _LAYOUTS.get(len(raw))

    @property
    def lowest_used(self) -> int | None:
        """The lowest address of the stack that the thread uses; None where that is not known."""
        if self._layout is None:
            return None
        return (self._at(self._layout.stack) - self._layout.below) // 8 * 8

    @property
    def base(self) -> int | None:
        """The address of the thread's control block; None where no register has it."""
        layout = self._layout
        return None if layout is None or layout.thread is None else self._at(layout.thread)

    @property
    def guard(self) -> int | None:
        """Where the number is that glibc mixes saved pointers with; None where that is not known."""
        base, layout = self.base, self._layout
        if base is None or layout is None or layout.guard_at is None:
            return None
        return base + layout.guard_at

    def _at(self, number: int) -> int:
        word = self._layout.word if self._layout else 8
        return int.from_bytes(self.raw[number * word : (number + 1) * word], "little")
