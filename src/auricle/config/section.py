"""What all sections of settings share, in this folder and in optional ones."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
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

    def problems(self, others: Mapping[str, object]) -> Mapping[str, str]:
        """Return which fields of an optional section contradict other settings, and why.

        Args:
            others: The values of all sections, by field name.
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


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Item = TypeVar("Item")
Listed = Annotated[tuple[Item, ...], NoDecode, BeforeValidator(_split)]
"""The type of a field whose variable has several values, with commas between them."""


SERVICE_URL = re.compile(
    r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?(/[a-z0-9._~/-]*)?", re.ASCII | re.I
)


def is_service_url(url: str) -> bool:
    """Return whether this is the URL of a service, without a name or key in it."""
    try:
        return SERVICE_URL.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:  # there can be no such port
        return False
