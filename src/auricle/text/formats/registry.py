"""Find the formats of subtitles: those of the folders next to this module that have a spec."""

from collections.abc import Mapping

import auricle.text.formats
from auricle.system.spec_modules import find_specs
from auricle.text.formats.base import SubtitleFormat
from auricle.values.errors import UnsupportedOption


def find_formats() -> Mapping[str, SubtitleFormat]:
    """Return the formats of subtitles of this installation by name."""
    specs = find_specs(auricle.text.formats).values()
    return {name: found for spec in specs for name, found in spec.items()}


FORMATS = find_formats()


def format_of(name: str, field: str | None = None) -> SubtitleFormat:
    """Return a format of subtitles.

    Args:
        name: Its name, such as ``srt``.
        field: The field of a request that names it, for the error.

    Raises:
        UnsupportedOption: This installation lacks it.
    """
    found = FORMATS.get(name)
    if found is None:
        raise UnsupportedOption(
            f"This installation lacks the format {name}; choose another one.", field
        )
    return found
