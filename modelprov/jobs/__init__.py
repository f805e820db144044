"""The jobs of modelprov, one a file: arguments checked, doors opened, work called, result back. No terminal here."""
