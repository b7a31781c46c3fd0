"""What all sections of settings share, in this folder and in optional ones."""

from typing import ClassVar

from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "AURICLE_"


class Section(BaseSettings):
    """A frozen group of settings; each field is one variable of the environment.

    Attributes:
        title: Its heading in the reference of settings.
        options: The fields that are options of ``auricle serve``, too.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,  # compose files write an unset variable as an empty one
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # the input may be a key
    )
    title: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + name.upper()


def split_at_commas(value: object) -> object:
    """Split a string at its commas; return other values unchanged."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value
