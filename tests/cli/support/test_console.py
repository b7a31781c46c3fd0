"""Output and errors of the command line."""

import io
import os
import sys

import pytest
import typer

from auricle.cli.support.console import (
    EXIT_INTERRUPTED,
    EXIT_UNUSABLE,
    is_terminal,
    plain_errors,
    prepare_stdout,
)
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


def test_a_stream_that_was_closed_at_startup_is_no_terminal() -> None:
    assert not is_terminal(None)
    assert not is_terminal(io.StringIO())


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX")
def test_a_pseudo_terminal_is_one() -> None:
    controller, terminal = os.openpty()
    with open(terminal, "w") as stream, open(controller):
        assert is_terminal(stream)


def test_files_are_written_in_utf_8_with_undecodable_names_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = io.BytesIO()
    stream = io.TextIOWrapper(target, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    prepare_stdout()
    stream.write("ü\udcff")
    stream.flush()
    assert target.getvalue() == "ü".encode() + b"\xff"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("latin-1", b"\xfc??"), ("cp1252", b"\xfc?\x80"), ("cp936", b"\xa8\xb9\x9dh?")],
)
def test_a_chosen_encoding_is_kept(
    encoding: str, written: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = io.BytesIO()
    stream = io.TextIOWrapper(target, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    prepare_stdout()
    stream.write("ü漢€")
    stream.flush()
    assert target.getvalue() == written


def test_expected_errors_are_one_line_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    @plain_errors
    def fails() -> None:
        raise SetupError("The model [base] is missing.")

    with pytest.raises(typer.Exit) as exit:
        fails()
    assert exit.value.exit_code == EXIT_UNUSABLE
    assert capsys.readouterr().err == "auricle: The model [base] is missing.\n"


def test_an_interrupt_has_the_exit_code_of_shells() -> None:
    @plain_errors
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as exit:
        interrupted()
    assert exit.value.exit_code == EXIT_INTERRUPTED


def test_other_errors_pass_and_results_are_returned() -> None:
    @plain_errors
    def divide(by: int) -> float:
        return 1 / by

    assert divide(2) == 0.5
    with pytest.raises(ZeroDivisionError):
        divide(0)
