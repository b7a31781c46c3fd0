"""What an optional database provides: :class:`DatabaseSpec`."""

from collections.abc import Callable
from dataclasses import dataclass

from auricle.ledger.databases.database import Database


@dataclass(frozen=True, slots=True)
class DatabaseSpec:
    """A database for several gateways: the constant ``SPEC`` of the module ``spec`` in its folder.

    Attributes:
        title: Its name in messages.
        schemes: Schemes of its URLs, the first of which is its name in ``/v1/models``. An empty one
            stands for connection strings without a scheme.
        open: Connects to a URL, and creates or migrates the tables; blocks. Raises
            :class:`.SetupError` if the database or its driver can't be used.
        backup: A shell command that backs the database up.
        restore: A shell command that restores it while no server runs.
    """

    title: str
    schemes: tuple[str, ...]
    open: Callable[[str], Database]
    backup: str
    restore: str
