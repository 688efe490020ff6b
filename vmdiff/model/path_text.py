"""Paths as listings write them: the kernel's mark for an unlinked file, base names, comparing two."""

DELETED = " (deleted)"  # fs/d_path.c appends it to the name of a file that was unlinked


def split_deleted(text: str) -> tuple[str, bool]:
    """Return the path without the kernel's mark, and whether it had it; a file may really be called so."""
    path = text.removesuffix(DELETED)
    return path, path != text


def base_name(path: str) -> str:
    """Return what follows the last slash."""
    return path.rpartition("/")[2]


def same_path(before: str | None, after: str | None) -> bool:
    """Compare two paths; one that is a base name only (``pmap`` without ``-p``) names no folder."""
    if before == after or before is None or after is None:
        return before == after
    if "/" in before and "/" in after:
        return False
    return base_name(before) == base_name(after)
