"""What all sections of settings share, in this folder and in optional ones."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "AURICLE_"
_FIXED: JsonDict = {"fixed": True}


def fixed(value: Any) -> Any:
    """Return the definition of a field that is no setting: no operator can choose it sensibly.

    No variable sets it. Sections are constructed with other values by tests and measurements only.
    """
    return Field(value, json_schema_extra=_FIXED)


class _Variables(EnvSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        if field.json_schema_extra == _FIXED:
            return None, field_name, False
        return super().get_field_value(field, field_name)


class Section(BaseSettings):
    """A frozen group of settings; each field is one variable, unless it is :func:`fixed`.

    Attributes:
        title: Its heading in the reference of settings.
        options: The fields that are options of ``auricle serve``, too.
        common: The fields with which the reference begins: most servers set some of them.
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
    common: ClassVar[tuple[str, ...]] = ()

    def problems(self, core: Mapping[str, object]) -> Mapping[str, str]:
        """Return which fields of an optional section contradict the core's settings, and why.

        Args:
            core: The values of all sections of the core, by field name.
        """
        return {}

    @classmethod
    def variables(cls) -> Mapping[str, FieldInfo]:
        """Return the names and definitions of the fields that variables set."""
        return {
            name: field
            for name, field in cls.model_fields.items()
            if field.json_schema_extra != _FIXED
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what the caller gives and the environment; there are no other sources."""
        return init_settings, _Variables(settings_cls)


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + name.upper()


def split_at_commas(value: object) -> object:
    """Split a string at its commas; return other values unchanged."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value
