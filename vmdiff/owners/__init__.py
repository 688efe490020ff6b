"""Who asked for the memory: evidence from names, records, registers and shapes.

A rule is a function in a module of its own that looks at a `Scene` and yields `Claim`s; `RULES`
is the only place that knows them all. `assign` settles what several rules claim and puts the
owners on the mappings.
"""

from vmdiff.owners.claims import Claim, Rule, Scene, assign
from vmdiff.owners.memory import Memory

__all__ = ["RULES", "Claim", "Memory", "Rule", "Scene", "assign"]

# In the order of trust: among claims of equal certainty the earlier rule's stands.
RULES: tuple[Rule, ...] = ()
