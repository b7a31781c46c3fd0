"""The web pages and the documentation site: routes, as those of an API."""

from typing import TYPE_CHECKING

from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.pages import documentation, pages

    return MountedApi(routes=(ApiRoutes(pages.routes()), ApiRoutes(documentation.routes())))


SPEC = ApiSpec(name="pages", title="Pages", page="reference/pages.md", mount=_mount)
