"""The one sentence that every report begins with: what happened to the memory, and to whose."""

from vmdiff.answer.of_comparison import answer
from vmdiff.answer.of_snapshot import summary
from vmdiff.answer.sentence import Answer, Mover

__all__ = ["Answer", "Mover", "answer", "summary"]
