"""Claims are settled so that the stronger stands, nothing is owned twice and sums are exact."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.work import assert_linear, lines
from vmdiff.model import Mapping, Origin, Snapshot
from vmdiff.owners import Claim, Rule, Scene, assign, assigned
from vmdiff.owners.claim import Learned

PAGE = 0x1000
NAMES = {"name": "a", "record": "b", "shape": "c"}


def space(*bounds: tuple[int, int]) -> Snapshot:
    return Snapshot(
        origin=Origin(source="test", counters=("rss",)),
        mappings=tuple(Mapping(start * PAGE, end * PAGE, "rw-p") for start, end in bounds),
    )


def claim(start: int, end: int, basis: str = "record", label: str | None = None) -> Claim:
    return Claim(start * PAGE, end * PAGE, NAMES[basis], basis, "seen", label)


def drawing(seen: Snapshot, pages: int = 20) -> str:
    """Draw who owns each page."""
    cells = ["."] * pages
    for mapping in seen.mappings:
        owner = mapping.owner
        for piece in (owner and (owner.parts or [owner])) or ():
            low = getattr(piece, "start", mapping.start) // PAGE
            high = getattr(piece, "end", mapping.end) // PAGE
            cells[low:high] = [piece.name] * (high - low)
    return "".join(cells)


def settled(seen: Snapshot, *claims: Claim) -> Snapshot:
    return assign(Scene(seen), [lambda _: claims])


def test_certain_claims_stand_before_likely_ones_and_likely_ones_keep_the_rest() -> None:
    seen = settled(space((0, 10)), claim(0, 10, "shape"), claim(3, 5, "record"))

    assert drawing(seen, 10) == "cccbbccccc"
    assert [part.certainty for part in seen.mappings[0].owner.parts] == ["likely", "certain", "likely"]


def test_earlier_rules_stand_before_later_ones() -> None:
    first, second = claim(0, 6, "name"), claim(4, 10, "record")
    seen = assign(Scene(space((0, 10))), [lambda _: [first], lambda _: [second]])

    assert drawing(seen, 10) == "aaaaaabbbb"


def test_one_claim_may_span_mappings_and_holes() -> None:
    seen = settled(space((0, 2), (3, 5), (5, 9)), claim(1, 7))

    assert drawing(seen, 9) == ".b.bbbb.."
    assert seen.mappings[1].owner.name == "b"
    assert seen.mappings[0].owner.name == "mixed"


def test_neighbours_that_say_the_same_are_one() -> None:
    seen = settled(
        space((0, 4), (5, 8)), claim(0, 2), claim(2, 4), claim(5, 6), claim(6, 7), claim(7, 8, label="x")
    )

    assert [m.owner.name for m in seen.mappings] == ["b", "mixed"]
    assert [part.label for part in seen.mappings[1].owner.parts] == [None, "x"]


def test_equal_claims_share_one_owner() -> None:
    seen = settled(space((0, 1), (2, 3)), claim(0, 1), claim(2, 3))

    assert seen.mappings[0].owner is seen.mappings[1].owner


def test_owners_that_are_there_stay() -> None:
    seen = settled(settled(space((0, 4)), claim(0, 4, "name")), claim(0, 4, "record"))

    assert drawing(seen, 4) == "aaaa"


def test_a_mapping_without_addresses_is_claimed_by_its_place() -> None:
    nowhere = Mapping(None, None, "rw-p", values={"size": 4096})
    seen = Snapshot(origin=Origin(source="test"), mappings=(*space((0, 1)).mappings, nowhere))
    seen = settled(seen, Claim(0, 0, "named", "name", "said", place=1), claim(0, 1))

    assert [m.owner.name for m in seen.mappings] == ["b", "named"]


def test_that_owners_were_looked_for_is_kept() -> None:
    assert settled(space((0, 1))).origin.owners


spans = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted).filter(lambda span: span[0] < span[1])
claims = st.lists(
    st.builds(lambda span, basis: claim(*span, basis), spans, st.sampled_from(sorted(NAMES))), max_size=12
)


@settings(max_examples=times(200), deadline=None)
@given(claims, st.lists(st.integers(0, 20), min_size=2, max_size=6, unique=True).map(sorted))
def test_every_page_goes_to_its_strongest_claim(claims: Sequence[Claim], cuts: list[int]) -> None:
    seen = space(*pairwise(cuts))
    expected = ["."] * 20
    strongest_last = [c for c in reversed(claims) if c.basis == "shape"] + [
        c for c in reversed(claims) if c.basis != "shape"
    ]
    for one in strongest_last:
        expected[one.start // PAGE : one.end // PAGE] = [one.name] * ((one.end - one.start) // PAGE)
    expected = [cell if cuts[0] <= page < cuts[-1] else "." for page, cell in enumerate(expected)]

    assert drawing(settled(seen, *claims)) == "".join(expected)


def test_twice_the_claims_on_twice_the_mappings_are_twice_the_work() -> None:
    def work(count: int) -> int:
        seen = space(*((2 * n, 2 * n + 1) for n in range(count)))
        everything = [claim(2 * n, 2 * n + 1) for n in range(count)]
        return lines(lambda: settled(seen, *everything))

    assert_linear(work, 3_000)


def test_twice_the_claims_on_one_mapping_are_twice_the_work() -> None:
    def work(count: int) -> int:
        one = space((0, 3 * count))
        pieces = [claim(2 * n, 2 * n + 1) for n in range(count)]
        random.Random(1).shuffle(pieces)
        return lines(lambda: settled(one, *pieces))

    assert_linear(work, 3_000)


def test_many_claims_on_one_mapping_are_all_kept() -> None:
    pieces = [claim(2 * n, 2 * n + 1) for n in range(30_000)]
    random.Random(1).shuffle(pieces)

    assert len(settled(space((0, 100_000)), *pieces).mappings[0].owner.parts) == 30_000


@dataclass(frozen=True)
class Place(Learned):
    """Something that a rule found."""

    at: int


def test_what_a_rule_learns_reaches_later_rules_and_those_who_come_after_all_of_them() -> None:
    seen: list[Place | None] = []
    rules: list[Rule] = [
        lambda scene: [*(seen.append(scene.settled.learned(Place)) or ()), Place(7), claim(0, 2)],
        lambda scene: seen.append(scene.settled.learned(Place)) or (),
    ]

    after = assigned(Scene(space((0, 4))), rules)

    assert seen == [None, Place(7)]
    assert after.settled.learned(Place) == Place(7)
    assert list(after.owned) == ["b"]
