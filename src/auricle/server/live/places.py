"""The places of live sessions: who has one, and the reservations of its finals."""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from auricle.config.sections.live import LiveSettings
from auricle.engines.models import Models
from auricle.server.access.connection_limits import network_of
from auricle.server.access.rate_limits import RateLimiter
from auricle.server.http.client_address import Address, Network
from auricle.server.live.admission.admission import LiveAdmission
from auricle.server.live.admission.line import Waiter
from auricle.server.live.runner import LiveRunner
from auricle.values.errors import Overloaded, RateLimited, ServerFull
from auricle.values.transcriber import Transcriber
from auricle.values.types import ClientId, ReservationRequest

PLACE_RETRY_S = 10


@dataclass(slots=True)
class _Place:
    """An admitted session.

    Attributes:
        client: Whose session it is.
        network: The network of its client.
        waiter: Identifies the client, if it tries again after a refusal.
        reservations: Those of its finals, by the name of the model in the options of its jobs.
    """

    client: ClientId
    network: Network | None
    waiter: Waiter
    reservations: dict[str, str]


class Places:
    """The places of all live sessions, at most ``max_sessions``.

    Args:
        settings: The settings of live sessions.
        models: The models of the transcriber.
        transcriber: Holds the reservations.
        rate_limiter: Rate limits per key.
        admission: Decides whether the machine holds another speaker.
        abandoned: Returns the session that ends if there is no free place; ``None``: there is none.

    Attributes:
        free_mb: Free memory of the machine, in MB.
    """

    def __init__(
        self,
        settings: LiveSettings,
        models: Models,
        transcriber: Transcriber,
        rate_limiter: RateLimiter,
        admission: LiveAdmission,
        abandoned: Callable[[], LiveRunner | None],
    ) -> None:
        self.free_mb = inf
        self._settings = settings
        self._models = models
        self._transcriber = transcriber
        self._allowances = rate_limiter
        self._admission = admission
        self._abandoned = abandoned
        self._ids = itertools.count(1)
        self._places: dict[str, _Place] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    @property
    def free_share(self) -> float:
        """Share of the machine's speakers and of the places that is free, from 0 to 1."""
        load = self._admission.load()
        taken = len(self._places) / self._settings.max_sessions
        return max(0.0, 1.0 - max(taken, load.speakers / load.capacity))

    def reservations_of(self, name: str) -> Mapping[str, str]:
        """Return the reservations of a place's finals, also those that it will get."""
        return self._places[name].reservations

    def admit(
        self,
        client: ClientId,
        address: Address | None,
        *,
        model: str = "",
        waiter: str = "",
        is_known: bool = False,
        speaks: bool = False,
    ) -> str:
        """Return the name of a place for a session, which has it until :meth:`leave`.

        Args:
            client: The client whose share of the machine is used.
            address: Its address.
            model: The model that it requested.
            waiter: An ID with which a client keeps its position after a refusal.
            is_known: Whether it resumes a session of this server; those are always admitted.
            speaks: Whether it begins to speak at once; it is not refused with its first word.

        Raises:
            ModelNotFound: There is no such model.
            ServerFull: The machine holds no other speaker now.
            Overloaded: There is no free place, or no worker is ready.
            RateLimited: The client has used up its crash budget, its audio quota or its sessions,
                or its address has too many sessions.
        """
        option, now = self._models.choose(model).option, time.monotonic()
        network, places = network_of(address), self._places.values()
        self._allowances.check_sessions(client, sum(place.client == client for place in places))
        self._allowances.check_audio(client, now)
        limit = self._settings.max_sessions_per_address
        if network and limit and sum(place.network == network for place in places) >= limit:
            raise RateLimited(
                f"This address has reached its limit of {limit} concurrent live sessions.",
                PLACE_RETRY_S,
            )
        is_full = len(places) >= self._settings.max_sessions
        if is_full and self._abandoned() is None:
            raise Overloaded(
                "The server's limit of live sessions is reached; try again later.", PLACE_RETRY_S
            )
        reservation = self._reserve(client, option)
        name = f"p{next(self._ids)}"
        place = _Place(client, network, Waiter((client, network), waiter), {option: reservation})
        try:
            self._admission.join(
                name,
                client,
                place.waiter,
                now,
                is_known=is_known,
                speaks=speaks,
                free_mb=self.free_mb,
            )
        except ServerFull:
            self._transcriber.release(reservation)
            raise
        if is_full and (abandoned := self._abandoned()) is not None:
            abandoned.finish()
            self.leave(abandoned.place)
        self._places[name] = place
        return name

    def check_ready(self, client: ClientId, model: str) -> None:
        """Check that finals of a model can be recognised, whether or not there is a place.

        Raises:
            ModelNotFound: There is no such model.
            Overloaded: No worker is ready.
            RateLimited: The client has used up its crash budget.
        """
        self._transcriber.release(self._reserve(client, self._models.choose(model).option))

    def leave(self, name: str) -> None:
        """Free a place; idempotent."""
        left = self._places.pop(name, None)
        for reservation in left.reservations.values() if left is not None else ():
            self._transcriber.release(reservation)
        self._admission.leave(name, time.monotonic())

    def change_model(self, name: str, model: str) -> None:
        """Prepare a session's finals by another model."""
        option, place = self._models.choose(model).option, self._places.get(name)
        if place is not None and option not in place.reservations:
            place.reservations[option] = self._reserve(place.client, option)

    def check_first_words(self, name: str) -> None:
        """Check whether a session that begins to speak may do so.

        Raises:
            ServerFull: It is one of many newcomers, and the machine holds no other speaker.
        """
        if (place := self._places.get(name)) is None:  # its client had left, and has returned
            return
        self._admission.may_speak(name, place.waiter, time.monotonic())

    def _reserve(self, client: ClientId, option: str) -> str:
        request = ReservationRequest(client, 0.0, standing=True, model=option)
        return self._transcriber.reserve(request)
