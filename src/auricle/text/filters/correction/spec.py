"""Corrects the terms of a vocabulary, and replaces texts."""

from auricle.text.filters.base import FilterSpec, Stage
from auricle.text.filters.correction.filter import Correction
from auricle.text.filters.correction.options import Vocabulary
from auricle.text.filters.correction.rules import Corrector

SPEC = FilterSpec(Stage.CORRECT, Correction, Vocabulary, prepare=Corrector)
