"""Select one error of an exception group, which anyio raises even for a single failure."""

from collections.abc import Iterator

from auricle.values.errors import AuricleError


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the group's first ``AuricleError``, else its first exception."""
    leaves = list(_leaves(group))
    return next((error for error in leaves if isinstance(error, AuricleError)), leaves[0])


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
