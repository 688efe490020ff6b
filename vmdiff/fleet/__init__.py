"""Many snapshots of many hosts: compacted Parquet, and questions in SQL that two engines answer alike."""
