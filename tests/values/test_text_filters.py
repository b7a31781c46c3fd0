import json

import pytest

from auricle.values.commands import StreamParameters
from auricle.values.text_filters import FilterChoice, redaction
from auricle.values.types import Redact

pytestmark = pytest.mark.unit


def test_options_of_a_filter_are_json() -> None:
    assert json.loads(FilterChoice("numerals").options) is None
    (choice,) = redaction((Redact.PCI, Redact.EMAIL))
    assert choice.name == "redaction"
    assert json.loads(choice.options) == ["pci", "email"]


def test_a_stream_is_filtered_as_its_parameters_say() -> None:
    assert StreamParameters().filters == ()
    assert StreamParameters(redact=(Redact.SSN,)).filters == redaction((Redact.SSN,))
