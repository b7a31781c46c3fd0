"""Hides what the request names."""

from typing import Annotated

from msgspec import Meta

from auricle.text.filters.base import FilterSpec, Stage
from auricle.text.filters.redaction.filter import Redaction
from auricle.text.filters.redaction.rules import PLACEHOLDERS
from auricle.values.types import Redact

SPEC = FilterSpec(
    Stage.HIDE,
    Redaction,
    Annotated[tuple[Redact, ...], Meta(min_length=1)],
    placeholders=PLACEHOLDERS,
)
