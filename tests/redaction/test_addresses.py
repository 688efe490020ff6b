"""Addresses move so that their order, distances inside a piece, adjacency and alignment stay."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.redaction.worlds import PAGE, mappings
from vmdiff.redaction.addresses import AddressMap, Span, drawn, keyed
from vmdiff.redaction.mapping_redaction import spans
from vmdiff.redaction.pseudonyms import Pseudonyms


def dice(seed: int = 0):
    return random.Random(seed).randrange


def moved(address_map: AddressMap, *places: Span) -> list[tuple[int, int]]:
    return [address_map.span(place.start, place.end) for place in places]


several = st.lists(mappings(), min_size=1, max_size=3)


@given(several, st.integers(0, 1000))
@settings(max_examples=times(150), deadline=None)
def test_order_overlap_and_adjacency_stay(spaces, seed):
    places = [span for space in spaces for span in spans(space)]
    address_map = drawn(places, dice(seed))
    borders = sorted({border for span in places for border in (span.start, span.end)})

    for span, (start, end) in zip(places, moved(address_map, *places), strict=True):
        assert end - start == span.end - span.start
        assert address_map(span.end) == end
    news = [address_map(border) for border in borders]
    assert all(low < high for low, high in pairwise(news))


@given(several, st.integers(0, 1000))
@settings(max_examples=times(150), deadline=None)
def test_what_lay_below_a_border_of_the_architecture_stays_below_it(spaces, seed):
    places = [span for space in spaces for span in spans(space)]

    for old, (start, end) in zip(places, moved(drawn(places, dice(seed)), *places), strict=True):
        for border in (1 << 32, 1 << 47):
            assert (old.end <= border) <= (end <= border)
        assert start >= 0x10000


@pytest.mark.parametrize(
    ("start", "size", "alignment"),
    [
        pytest.param(0x7F0A_C400_0000, 64 << 20, 64 << 20, id="a malloc arena's heap"),
        pytest.param(0x7F0A_C420_0000, 6 << 20, 2 << 20, id="transparent huge pages"),
        pytest.param(0x1234_5674_0000, 256 << 10, 256 << 10, id="a page of V8"),
        pytest.param(0x7F0A_C420_1000, PAGE, PAGE, id="an ordinary page"),
    ],
)
def test_alignment_that_is_no_accident_stays(start, size, alignment):
    places = [Span(start, start + size), Span(0x7FFF_0000_1000, 0x7FFF_0000_3000)]
    found = {drawn(places, dice(seed))(start) for seed in range(20)}

    assert all(address % alignment == start % alignment for address in found)
    assert len(found) > 10
    assert any(address % (2 * alignment) != start % (2 * alignment) for address in found)


def test_a_fixed_place_stays_where_it_is_in_every_process():
    vsyscall = Span(0xFFFF_FFFF_FF60_0000, 0xFFFF_FFFF_FF60_1000, fixed=True)

    address_map = drawn([Span(0x400000, 0x401000), vsyscall], dice())

    assert moved(address_map, vsyscall) == [(vsyscall.start, vsyscall.end)]


def test_a_full_32_bit_space_has_nowhere_to_go_and_stays_a_space():
    places = [Span(0x10000, 0x8000_0000), Span(0x8000_1000, 0xFFFF_F000)]

    found = moved(drawn(places, dice()), *places)

    assert found[1][1] <= 1 << 32
    assert found[0][1] < found[1][0]


def test_the_secret_of_the_layout_is_in_no_draw():
    """Every place can be drawn for every process: two layouts that differ in place only are one."""
    here = [Span(0x7F12_3456_7000, 0x7F12_3457_0000), Span(0x7FFE_1234_5000, 0x7FFE_1236_6000)]
    there = [Span(0x7E99_9999_9000, 0x7E99_999A_2000), Span(0x7FFC_0000_5000, 0x7FFC_0002_6000)]

    assert moved(drawn(here, dice(3)), *here) == moved(drawn(there, dice(3)), *there)


PIE, HEAP = Span(0x5581_1234_5000, 0x5581_1234_9000), Span(0x5581_2000_0000, 0x5581_2002_1000)
LIBC, STACK = Span(0x7F12_3456_7000, 0x7F12_3476_7000), Span(0x7FFE_1234_5000, 0x7FFE_1236_6000)


def test_a_key_moves_addresses_alike_whatever_else_there_is():
    alone = keyed([LIBC], Pseudonyms(b"key").draw)
    together = keyed([PIE, HEAP, LIBC, STACK], Pseudonyms(b"key").draw)

    assert alone
    assert together
    assert moved(alone, LIBC) == moved(together, LIBC)
    assert moved(alone, LIBC) != [LIBC[:2]]


def test_a_key_keeps_order_and_alignment():
    for number in range(50):
        places = [PIE, HEAP, LIBC, STACK]
        address_map = keyed(places, Pseudonyms(bytes([number])).draw)
        assert address_map
        found = moved(address_map, *places)
        assert found == sorted(found)
        assert found[-1][1] <= 1 << 47
        assert all(
            new[0] % (64 << 20) == old.start % (64 << 20) for new, old in zip(found, places, strict=True)
        )


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param(Span(0x4800_0000_0000, 0x4800_0000_1000), id="between the stretches"),
        pytest.param(Span(0x7FFF_8000, 0x1000_7FFF_8000), id="the shadow of AddressSanitizer"),
        pytest.param(Span(0x0804_8000, 0x0804_9000), id="nothing that moves"),
    ],
)
def test_a_key_refuses_what_it_cannot_move(strange):
    assert keyed([strange], Pseudonyms(b"key").draw) is None
