"""The allow-list knows the words that vmdiff itself writes: a redacted snapshot still speaks."""

import ast
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vmdiff
from tests.importers.conftest import CASES
from tests.redaction.test_comparison import essence
from vmdiff import sources
from vmdiff.capture import snapshot_builder
from vmdiff.comparison.compare import compare
from vmdiff.errors import VmdiffError
from vmdiff.model import Owner, Snapshot
from vmdiff.redaction import redact, texts, vocabulary
from vmdiff.redaction.pseudonyms import Pseudonyms

HOME = Path(vmdiff.__file__).parent
NAMES = Pseudonyms(b"key")


def calls() -> Iterator[ast.Call]:
    for path in HOME.rglob("*.py"):
        yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def constants(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def called(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_the_words_of_our_own_doubts_may_be_told():
    """A word that is missing here belongs into ``vocabulary.WORDS``."""
    doubts = [
        text
        for call in calls()
        if called(call).endswith("doubt") or ".doubts." in f".{called(call)}."
        for text in constants(call)
    ]

    assert len(doubts) > 20
    told = {word for text in doubts for word in re.findall(r"[A-Za-z]\w+", text)}
    assert sorted(word for word in told if not texts.is_public(NAMES, word)) == []


def test_the_names_of_our_own_owners_may_be_told():
    """A name that is missing here belongs into ``vocabulary.OWNERS``."""
    rules = {
        call.args[at].value
        for call in calls()
        for at in ({"Claim": 2, "owner": 0, "Word": 0}.get(called(call)),)
        if at is not None and len(call.args) > at and isinstance(call.args[at], ast.Constant)
    }

    assert "malloc arena" in rules
    told = {name for name in rules if name in vocabulary.OWNERS or texts.is_public(NAMES, name)}
    assert rules - told == set()


def test_the_names_of_our_own_sources_may_be_told():
    """A name that is missing here belongs into ``vocabulary.SOURCES``."""
    named = {
        call.args[0].value
        for call in calls()
        if called(call).rpartition(".")[2] in {"TextFormat", "BinaryFormat"}
        and isinstance(call.args[0], ast.Constant)
    }

    assert len(named) > 8
    sources_ = {name for name in named if " " not in name}  # else it stands for several
    assert {*sources_, "maps", "smaps", "smaps_rollup", "core", snapshot_builder.SOURCE} <= vocabulary.SOURCES


def listings() -> list[Snapshot]:
    if CASES is None:
        pytest.skip("the folder of real listings is not here")
    found = []
    for path in sorted(CASES.rglob("*.txt")):
        try:
            found.append(sources.load(path))
        except VmdiffError:
            continue
    assert len(found) > 80
    return found


def test_real_listings_keep_what_is_public_in_them():
    for original in listings():
        redacted = redact([original])[0]
        assert redacted.origin.source == original.origin.source
        assert redacted.origin.counters == original.origin.counters
        assert redacted.origin.attributes == original.origin.attributes
        for doubt, told in zip(original.origin.doubts, redacted.origin.doubts, strict=True):
            assert re.sub(r"(?<= )'.*?'", "'…'", doubt) == told
        for mapping, hidden in zip(original.mappings, redacted.mappings, strict=True):
            owners = [mapping.owner or Owner(""), hidden.owner or Owner("")]
            assert owners[0].name == owners[1].name
            assert mapping.deleted == hidden.deleted


@pytest.mark.parametrize("key", [None, b"k" * 32])
def test_real_listings_compare_as_they_did(key):
    """Any two of them, most of different programs on different systems, in this order of rows."""
    held = listings()
    dice = random.Random(20)
    for before, after in (dice.sample(held, 2) for _ in range(120)):
        redacted = redact([before, after], key=key)
        assert essence(compare(*redacted)) == essence(compare(before, after))
