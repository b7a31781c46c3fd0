"""The version for Bazarr's connection test, at the path of the status page."""

from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.responses import Response

from auricle import __version__
from auricle.server.http.responses import json_response
from auricle.server.http.selective_route import SelectiveRoute


class _ProgramRoute(SelectiveRoute):
    def accepts(self, headers: Headers) -> bool:
        """Return whether a request is from a program: it does not accept HTML."""
        return "text/html" not in headers.get("accept", "")


def routes() -> APIRouter:
    """Return the routes."""
    router = APIRouter(route_class=_ProgramRoute, include_in_schema=False)

    @router.get("/status")
    async def get_version() -> Response:
        """Return Auricle's version as JSON."""
        return json_response({"version": f"Auricle {__version__}"}, headers={"vary": "accept"})

    return router
