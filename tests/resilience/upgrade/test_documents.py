from typing import Any

import pytest

from tests.resilience.upgrade.documents import has_all
from tests.resilience.upgrade.stage import Contents, differences
from tests.resilience.upgrade.verdict import is_clear

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("after", "is_whole"),
    [
        ({"text": "one", "words": [{"start": 1}]}, True),
        ({"text": "one", "words": [{"start": 1, "speaker": 0}], "revision": 2}, True),
        ({"text": "One", "words": [{"start": 1}]}, False),
        ({"text": "one"}, False),
        ({"text": "one", "words": []}, False),
        ({"text": "one", "words": [{"start": 1}, {"start": 2}]}, False),
    ],
)
def test_a_newer_version_may_only_add_fields(after: Any, is_whole: bool) -> None:
    assert has_all(after, {"text": "one", "words": [{"start": 1}]}) is is_whole


@pytest.mark.parametrize(
    ("change", "is_in_order"),
    [
        ({}, True),
        ({"refused": False, "status": None, "said": []}, True),
        ({"status": 1}, False),
        ({"said": ["Traceback"]}, False),
        ({"changed": ["ledger.sqlite3"]}, False),
    ],
)
def test_an_old_version_continues_or_refuses_with_a_reason(
    change: dict[str, Any], is_in_order: bool
) -> None:
    refused = {
        "refused": True,
        "status": 2,
        "said": ["ledger.sqlite3 has schema version 16; this version supports 14."],
        "changed": [],
    }
    assert is_clear(refused | change) is is_in_order


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        ({"ledger": b"1", "ledger-wal": b""}, []),
        ({"ledger": b"2", "ledger-wal": b""}, ["ledger"]),
        ({"ledger": b"1"}, ["ledger-wal"]),
        ({"ledger": b"1", "ledger-wal": b"", "ledger-shm": b""}, ["ledger-shm"]),
    ],
)
def test_a_database_is_compared_with_what_was_added_and_removed(
    after: Contents, changed: list[str]
) -> None:
    assert differences({"ledger": b"1", "ledger-wal": b""}, after) == changed
