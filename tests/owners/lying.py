"""Memory that is not what it was: what a process would show that wants to mislead the rules."""

import random
from collections.abc import Iterator, Sequence

from tests.owners.living import snapshot
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.owners import Claim, Rule, Scene

LIES = 40
MOST_READS = 100_000  # of one look; what a true memory costs is some hundreds


class Lying(LiveMemory):
    """A memory in which some words are not what they were."""

    def __init__(self, pid: int, seed: int) -> None:
        super().__init__(pid)
        self.random = random.Random(seed)
        self.seen = [0, 1, 0xFFFFFFFF, (1 << 64) - 1, 1 << 63]
        self.reads = 0

    def read(self, address: int, length: int) -> bytes | None:
        self.reads += 1
        assert self.reads <= MOST_READS, "the rule goes round in circles"
        found = super().read(address, length)
        return None if found is None else self._bent(address, found)

    def read_many(self, addresses: Sequence[int], length: int) -> list[bytes | None]:
        return [self.read(address, length) for address in addresses]

    def _bent(self, address: int, found: bytes) -> bytes:
        self.seen.append(address)
        if self.random.random() < 0.9:
            return found
        at = self.random.randrange(0, max(len(found) - 7, 1), 8)
        word = self.random.choice([*self.seen, self.random.getrandbits(47) & ~7])
        return (found[:at] + word.to_bytes(8, "little") + found[at + 8 :])[: len(found)]


def lied_to(pid: int, rule: Rule) -> Iterator[tuple[Scene, list[Claim]]]:
    """Run a rule on a process whose memory lies, differently each time; its reads must come to an end."""
    scene = Scene(snapshot(pid))
    for seed in range(LIES):
        with Lying(pid, seed) as memory:
            yield scene, list(rule(Scene(scene.snapshot, memory)))
