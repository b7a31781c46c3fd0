import pytest

from auricle.vocabularies import source
from tests.support.database_fixtures import database, location, postgres
from tests.support.poll import LIMIT_S

__all__ = ["database", "location", "postgres"]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the database, however busy the machine is."""
    monkeypatch.setattr(source, "READ_S", LIMIT_S)
