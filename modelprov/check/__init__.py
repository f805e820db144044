"""Is what a publisher claims what the files hold? Claims, measurements, rules; renders nothing, parses no arguments.

Called, it is the job in `modelprov.jobs.check` (ADR 0013).
"""

from modelprov.callable_package import make_callable

make_callable(__name__)
