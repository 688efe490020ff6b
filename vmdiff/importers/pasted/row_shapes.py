"""Where in a line a row of a listing may begin, whatever stands before it."""

import re

_APART = r"(?<![0-9A-Za-z_./\\-])"
_RANGE = r"(?:0x)?[0-9a-fA-F]{4,17}-(?:0x)?[0-9a-fA-F]{4,17}"
_PERMS = r"[rR-][wW-][xX-]"

# Of maps, of pmap, of gdb and others with two addresses, and the keys of smaps.
ROW = re.compile(
    rf"{_APART}(?:{_RANGE}\s+{_PERMS}[pPsS]?(?=\s|$)"
    rf"|{_RANGE}\s+(?:\[|0x)"
    rf"|[0-9a-fA-F]{{8,16}}\s+(?:[0-9]{{1,20}}K?|-)(?:\s+(?:[0-9]{{1,20}}K?|-)){{0,5}}\s+{_PERMS}[sp-]?"
    rf"|[0-9a-f]{{6,16}}\s+{_PERMS}[ps]\s+[0-9a-f]{{8,16}}\s+[0-9a-f]{{2,8}}:[0-9a-f]{{2,8}}\s"
    rf"|0x[0-9a-f]{{4,16}}(?:\s?-\s?|\s+)0x[0-9a-f]{{4,17}}\s"
    rf"|{_RANGE}:\s+[/\[])"
)
KEY = re.compile(r"(?<![0-9A-Za-z_])[A-Z][A-Za-z_]{1,30}:\s+[0-9]{1,15} kB\b")
# A row of maps that can be nothing else, to be told from a path in the middle of a line.
WHOLE_ROW = re.compile(
    r"(?<=\s)[0-9a-f]{4,17}-[0-9a-f]{4,17}\s[r-][w-][x-][ps]\s[0-9a-f]{8,16}\s[0-9a-f]{2,8}:[0-9a-f]{2,8}\s[0-9]{1,20}(?=\s|$)"
    r"|(?<=\s)[0-9a-f]{16}\s{1,8}[0-9]{1,12}K?(?:\s+[0-9]{1,12}){0,2}\s[r-][w-][x-][s-][R-]\s"
)
KEY_BEHIND = re.compile(
    r"(?<!\s)\s++(?=[A-Z][A-Za-z_]{1,30}:\s{1,40}[0-9]{1,15} kB(?:\s|$)|VmFlags:(?:\s[a-z?]{2})+\s*$)"
)
