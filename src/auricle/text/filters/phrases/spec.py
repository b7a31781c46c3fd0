"""Writes results without the capital letter or the full stop of a sentence, by option."""

from auricle.text.filters.base import FilterSpec, Stage
from auricle.text.filters.phrases.filter import Phrases
from auricle.text.filters.phrases.rules import Style

SPEC = FilterSpec(Stage.FORMAT, Phrases, Style)
