"""What allocators and runtimes record about their own memory: in use, or freed and kept.

A reader is a function in a module of its own that looks at a `Scene` (with the owners already on the
mappings) and yields `Usage`s; `inside_registry.READERS` is the only place that lists them all.
"""

from vmdiff.owners.inside.budget import QUICK, WHOLE, Budget
from vmdiff.owners.inside.glibc_heap import contradictions
from vmdiff.owners.inside.inside_registry import READERS, Reader, look_inside

__all__ = ["QUICK", "READERS", "WHOLE", "Budget", "Reader", "contradictions", "look_inside"]
