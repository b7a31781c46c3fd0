"""The web pages, the documentation site and the history on ``/status``: routes of an API."""

from functools import partial
from typing import TYPE_CHECKING

from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.pages import documentation, pages, status_history
    from auricle.apis.pages.history import History
    from auricle.server.telemetry.sampling import sample_loop

    history = History()
    return MountedApi(
        routes=(
            ApiRoutes(pages.routes()),
            ApiRoutes(documentation.routes()),
            ApiRoutes(status_history.routes(server, history), tag="Health"),
        ),
        tasks=(partial(sample_loop, partial(status_history.observe, server, history)),),
    )


SPEC = ApiSpec(name="pages", title="Pages", page="reference/pages.md", mount=_mount)
