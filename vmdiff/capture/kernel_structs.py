"""Structures that Linux fills in, as its headers declare them.

Loading ctypes takes 2 ms, so this module is imported where one of them is used.
"""

import ctypes

_U64 = ctypes.c_uint64


class PageScan(ctypes.Structure):
    """``struct pm_scan_arg`` of include/uapi/linux/fs.h, since 6.7."""

    _fields_ = (
        ("size", _U64),
        ("flags", _U64),
        ("start", _U64),
        ("end", _U64),
        ("walk_end", _U64),
        ("vec", _U64),
        ("vec_len", _U64),
        ("max_pages", _U64),
        ("category_inverted", _U64),
        ("category_mask", _U64),
        ("category_anyof_mask", _U64),
        ("return_mask", _U64),
    )


class CacheStatRange(ctypes.Structure):
    """``struct cachestat_range`` of include/uapi/linux/mman.h, since 6.5; bytes."""

    _fields_ = (("off", _U64), ("len", _U64))


class CacheStat(ctypes.Structure):
    """``struct cachestat`` of include/uapi/linux/mman.h; pages."""

    _fields_ = (
        ("nr_cache", _U64),
        ("nr_dirty", _U64),
        ("nr_writeback", _U64),
        ("nr_evicted", _U64),
        ("nr_recently_evicted", _U64),
    )
