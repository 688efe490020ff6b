"""Who asked for the memory: evidence from names, records, registers and shapes.

A rule is a function in a module of its own that looks at a `Scene` and yields `Claim`s;
`rule_registry` lists them all. `assign` settles what several rules claim and puts the owners on
the mappings.
"""

from vmdiff.owners.claim import Claim
from vmdiff.owners.engine import Rule, assign, assigned
from vmdiff.owners.known_files import KnownFiles
from vmdiff.owners.memory_port import Memory
from vmdiff.owners.rule_registry import RULES
from vmdiff.owners.scene import Scene

__all__ = ["RULES", "Claim", "KnownFiles", "Memory", "Rule", "Scene", "assign", "assigned"]
