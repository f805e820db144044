"""Making and re-making merges: recipes, their arithmetic, virtual checkpoints, writing. Never imports forensics.

Called, it is the job in `modelprov.jobs.merge` (ADR 0013).
"""

from modelprov.callable_package import make_callable

make_callable(__name__)
