"""The reader of ELF: headers, notes, symbols."""
