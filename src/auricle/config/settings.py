"""Settings: all sections, as they are loaded from the environment.

Each field is one ``AURICLE_*`` variable. Sections are frozen and passed separately, so that each
package receives only the settings that it uses. Those of the core are in
:mod:`auricle.config.sections`; optional folders have their own (:mod:`auricle.config.optional`).
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self, TypeVar, cast

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from auricle.config.optional import optional_sections
from auricle.config.section import Section, variable
from auricle.config.sections.client import ClientSettings
from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.server import ServerSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import SetupError


def spool_directory(server: ServerSettings, ledger: LedgerSettings) -> Path:
    """Return the directory for uploads: by default next to the audio of jobs, which links to it."""
    return server.spool_dir or ledger.directory / "spool"


AnySection = TypeVar("AnySection", bound=Section)


def _optional_defaults() -> Mapping[type[Section], Section]:
    return {section: section() for section in optional_sections()}


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections of the settings.

    Attributes:
        optional: The sections of optional folders.
    """

    server: ServerSettings = field(default_factory=ServerSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    client: ClientSettings = field(default_factory=ClientSettings)
    optional: Mapping[type[Section], Section] = field(default_factory=_optional_defaults)

    @classmethod
    def load(cls, overrides: Mapping[str, object] | None = None) -> Self:
        """Read the environment.

        Args:
            overrides: Values by field name that take precedence over the environment: a command's
                options. ``None`` is an option that was not given.

        Raises:
            SetupError: Some values are invalid; the message names each variable or option.
        """
        options = {name: value for name, value in (overrides or {}).items() if value is not None}
        problems: list[str] = []
        core = {name: _read(section, options, problems) for name, section in _CORE.items()}
        others = {section: _read(section, options, problems) for section in optional_sections()}
        read = cls(**core, optional=others)  # type: ignore[arg-type]  # _CORE has the fields' own classes
        if not problems:
            values = {name: value for section in read.sections() for name, value in section}
            for section in read.optional.values():
                found = section.problems(values).items()
                problems += [_problem(name, problem, options) for name, problem in found]
        if problems:
            raise SetupError(f"Invalid settings: {'; '.join(problems)}")
        return read

    def section(self, section: type[AnySection]) -> AnySection:
        """Return the section of an optional folder."""
        found = self.optional[section]
        assert isinstance(found, section)
        return found

    def with_section(self, section: Section) -> Self:
        """Return a copy with another section of an optional folder."""
        return replace(self, optional={**self.optional, type(section): section})

    def sections(self) -> tuple[Section, ...]:
        """Return all sections, in the order of :func:`section_classes`."""
        return (*(getattr(self, name) for name in _CORE), *self.optional.values())


_CORE: Mapping[str, type[Section]] = {
    section.name: cast(type[Section], section.default_factory)
    for section in dataclasses.fields(Settings)
    if section.name != "optional"
}


def _read(
    section: type[Section], options: Mapping[str, object], problems: list[str]
) -> Section | None:
    """Return a section as read; add what is wrong with it to ``problems``."""
    own = {name: options[name] for name in section.model_fields if name in options}
    try:
        return section.model_validate(own)
    except ValidationError as exc:
        problems += [_problem(str(e["loc"][0]), e["msg"], options) for e in exc.errors()]
        return None


def _problem(name: str, message: str, options: Mapping[str, object]) -> str:
    source = f"--{name.replace('_', '-')}" if name in options else variable(name)
    return f"{source}: {message}"


def section_classes() -> tuple[type[Section], ...]:
    """Return all sections: the core's, and those of optional folders."""
    return (*_CORE.values(), *optional_sections())


def fields() -> Iterator[tuple[str, FieldInfo]]:
    """Yield the name and definition of every setting, in the order of sections."""
    for section in section_classes():
        yield from section.variables().items()
