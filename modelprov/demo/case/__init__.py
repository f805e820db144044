"""The case that `modelprov demo` settles, a file a step. Calls jobs and tells a `Listener`; prints nothing."""
