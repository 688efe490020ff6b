"""JSON output and the JSON Schemas."""
