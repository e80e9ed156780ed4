"""One request to a cluster, parsed."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from tutor.kubesim.cluster import Cluster
from tutor.kubesim.registry import Resource
from tutor.kubesim.service import Clusters


@dataclass(frozen=True)
class Call:
    """Who asks for what: a resource, and of it a namespace, a name and a subresource where the path has them."""

    clusters: Clusters
    cluster: Cluster
    user: str
    request: Request
    resource: Resource
    namespace: str
    name: str
    sub: str

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; the last of a repeated one."""
        return dict(self.request.query_params)

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be kept."""
        return self.query.get("dryRun") == "All"

    @property
    def strict(self) -> bool:
        """Whether unknown fields are refused."""
        return self.query.get("fieldValidation") == "Strict"

    @property
    def manager(self) -> str:
        """Who owns what this request sets."""
        return self.query.get("fieldManager") or self.request.headers.get("user-agent", "unknown").partition("/")[0]
