"""The parts of a server."""

from dataclasses import is_dataclass
from typing import get_args, get_type_hints

import pytest

from auricle.server.access.access import Access
from auricle.server.dialect_session import Streams
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs
from auricle.server.jobs.background_jobs.work import JobWork
from auricle.server.jobs.intake import Uploads
from auricle.server.recognition import Recognition
from auricle.server.result_keepers import ResultKeeper
from auricle.server.service import Backends, Service
from auricle.server.storage import Storage
from auricle.values.optional_workers import OptionalWorkers

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "part",
    [
        *(Service, Access, Recognition, Storage, Uploads, BackgroundJobs, JobWork, Streams),
        *(Backends, OptionalWorkers, ResultKeeper),
    ],
)
def test_parts_are_frozen_and_none_is_optional(part: type) -> None:
    assert is_dataclass(part)
    assert part.__dataclass_params__.frozen  # type: ignore[attr-defined]
    optional = [name for name, kind in get_type_hints(part).items() if type(None) in get_args(kind)]
    assert optional == []
