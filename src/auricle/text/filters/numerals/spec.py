"""Writes numbers in digits; it has no options."""

from auricle.text.filters.base import FilterSpec, Stage
from auricle.text.filters.numerals.filter import Numerals

SPEC = FilterSpec(Stage.FORMAT, lambda _: Numerals())
