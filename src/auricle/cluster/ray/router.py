"""Serve's router in an ingress: it sends each call to where the ingress wants it.

Serve pickles the class below by value, so it gets at
:data:`auricle.cluster.ray.balance.REPLICA_TABLE` through the module: that is imported where the
class arrives, and so the board is the one of the ingress.
"""

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from auricle.cluster.ray import balance

REPORT = "report"
"""The method that a certain replica is asked for; all others may be done by another one."""


class PreferredReplicaRouter(RequestRouter):
    """Tries the replicas in the order of the call's argument ``to``, then all others."""

    def update_replicas(self, replicas: list[RunningReplica]) -> None:
        """Put on the board who is there."""
        balance.REPLICA_TABLE.present = {
            replica.replica_id.unique_id: str(replica.node_id) for replica in replicas
        }
        super().update_replicas(replicas)

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Return each wanted replica as a rank of its own, and the others as the last."""
        others = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        if pending_request is None:
            return [list(others.values())]
        pending_request.routing_context.should_backoff = True  # or Serve tries without a pause
        wanted = pending_request.kwargs.get("to", ())
        ranks = [[others.pop(name)] for name in wanted if name in others]
        if wanted and pending_request.metadata.call_method == REPORT:
            return ranks
        return [*ranks, list(others.values())]
