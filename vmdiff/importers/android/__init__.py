"""Listings of Android: showmap and tombstones."""
