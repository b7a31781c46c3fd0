"""Routes for some clients only, so that two APIs can have the same path."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope


class SelectiveRoute(APIRoute):
    """A route that serves the clients of its API; other requests get the next route of its path.

    The application tries routers with this ``route_class`` before all others.
    """

    def accepts(self, headers: Headers) -> bool:
        """Return whether a request is from a client of this API, by its headers."""
        raise NotImplementedError

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a request by its path, its method and its client."""
        match, child_scope = super().matches(scope)
        if match is Match.NONE or self.accepts(Headers(scope=scope)):
            return match, child_scope
        return Match.NONE, {}


def is_selective(router: APIRouter) -> bool:
    """Return whether the routes of a router are selective."""
    return issubclass(router.route_class, SelectiveRoute)


def add_alternatives(document: dict[str, Any], selective: Iterable[APIRouter]) -> None:
    """Add to an OpenAPI document what clients of selective routes get in place of the others.

    Args:
        document: The document of the other routes; changed in place.
        selective: Routers whose routes describe their 200 response, which is JSON.
    """
    for route in (each for router in selective for each in router.routes):
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            own = document["paths"][route.path_format][method.lower()]["responses"]["200"]
            other = route.responses[200]
            schemas = [each["content"]["application/json"]["schema"] for each in (own, other)]
            own["description"] += f" {other['description']}"
            own["content"] = {"application/json": {"schema": {"anyOf": schemas}}}
