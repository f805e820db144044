"""The report of `compare`: its schema, how it is told, its files."""
