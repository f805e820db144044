"""modelprov: says, from the weights themselves, where a language model came from.

The package facade stays empty on purpose: importing it costs nothing, so `modelprov --help` answers at once.
"""

__version__ = "0.1.0"
