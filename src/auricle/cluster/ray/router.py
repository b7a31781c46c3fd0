"""Serve's request router in an ingress: sends each call to the replicas that the ingress prefers.

Serve pickles the class below by value. It accesses
:data:`auricle.cluster.ray.balance.REPLICA_TABLE` through the module, which is imported in the
receiving process, so that the class uses the table of that ingress.
"""

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from auricle.cluster.ray import balance

REPORT = "report"
"""Method that must run on the requested replica; other calls may run on any replica."""


class PreferredReplicaRouter(RequestRouter):
    """Try the replicas in the order of the call's argument ``to``, then all others."""

    def update_replicas(self, replicas: list[RunningReplica]) -> None:
        """Update the present replicas in the table."""
        balance.REPLICA_TABLE.present = {
            replica.replica_id.unique_id: str(replica.node_id) for replica in replicas
        }
        super().update_replicas(replicas)

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Return each requested replica as a separate rank, then all others as the last rank."""
        others = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        if pending_request is None:
            return [list(others.values())]
        pending_request.routing_context.should_backoff = (
            True  # otherwise Serve retries without a pause
        )
        preferred = pending_request.kwargs.get("to", ())
        ranks = [[others.pop(name)] for name in preferred if name in others]
        if preferred and pending_request.metadata.call_method == REPORT:
            return ranks
        return [*ranks, list(others.values())]
