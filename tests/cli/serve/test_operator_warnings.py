"""Warnings are plain lines on terminals, and events of the log elsewhere."""

import pytest
from structlog.testing import capture_logs

from auricle.cli.serve import operator_warnings

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("on_terminal", [True, False])
def test_a_warning_is_for_a_person_or_for_the_log(
    on_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(operator_warnings, "is_terminal", lambda stream: on_terminal)
    with capture_logs() as entries:
        operator_warnings.warn("gpu_not_used", "Not using a GPU.")
    assert [entry["event"] for entry in entries] == ([] if on_terminal else ["gpu_not_used"])
    assert ("auricle: Not using a GPU." in capsys.readouterr().err) == on_terminal
