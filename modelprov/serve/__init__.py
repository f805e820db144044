"""The page to try it in a browser: reports are read and combined, a comparison is run. Judges nothing itself."""
