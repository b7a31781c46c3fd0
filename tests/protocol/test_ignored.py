import msgspec
import pytest

from auricle.protocol.ignored import MAX_OPTIONS, field_beginnings, ignored_options, warning_headers

pytestmark = pytest.mark.unit


def test_each_option_that_is_not_known_is_named_once() -> None:
    options = [("diarize", "true"), ("model", "x"), ("search", "a"), ("search", "b")]
    assert ignored_options(options, {"model"}) == (
        "diarize is not supported and has no effect.",
        "search is not supported and has no effect.",
    )


@pytest.mark.parametrize("value", ["", "false", "FALSE", "0", " no ", "null", '""', '"false"'])
def test_one_that_is_switched_off_is_not(value: str) -> None:
    assert ignored_options([("diarize", value)], ()) == ()


@pytest.mark.parametrize("name", ["", "x" * 41, "a b", "a\r\nb", "ä", "<b>"])
def test_names_are_repeated_only_if_they_can_be_names(name: str) -> None:
    assert ignored_options([(name, "1")], ()) == ()


def test_there_are_not_too_many() -> None:
    assert len(ignored_options(((f"x{n}", "1") for n in range(1000)), ())) == MAX_OPTIONS


def test_fields_of_json_are_named_with_the_beginning_of_their_values() -> None:
    fields = {"a": b"true", "b": b'"' + b"x" * 100 + b'"', "c": b"{}"}
    beginnings = field_beginnings({name: msgspec.Raw(text) for name, text in fields.items()})
    assert beginnings == [("a", "true"), ("b", '"' + "x" * 15), ("c", "{}")]


def test_the_header() -> None:
    assert warning_headers(()) == {}
    assert warning_headers(("One.", "Zw\u00f6lf.")) == {"x-auricle-warnings": "One. Zw?lf."}
