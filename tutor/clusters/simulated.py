"""Simulated clusters: made by the admin API of the process that serves them, ready at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tutor.clusters.api import ApiError, ApiUnreachable, KubeApi, Object
from tutor.clusters.provider import Access, Availability, ClusterSpec, ClusterState, Handle, Role
from tutor.errors import NotFound, ProvisionError, Unavailable
from tutor.kubesim import auth

_CURE = "Start Kubetutor with: kubetutor serve"
_ADMIN = "/admin/v1/clusters"


class SimulatedProvider:
    """Clusters inside ``kubetutor serve``.

    :param api_url: https URL of the API process.
    :param keys: gives (CA as PEM, secret), read when first needed: the API process makes them at its first start.
    """

    name = "simulated"

    def __init__(self, api_url: str, keys: Callable[[], tuple[str, bytes]]) -> None:
        self._url = api_url.rstrip("/")
        self._keys = keys
        self._admin: KubeApi | None = None

    def available(self) -> Availability:
        """Whether the API process answers; never raises."""
        try:
            self._api().request("GET", _ADMIN, timeout=5)
        except Unavailable as e:
            return Availability(False, e.message, _CURE)
        return Availability(True)

    def create(self, spec: ClusterSpec) -> Handle:
        """Make the cluster; an existing one with this id is taken as it is."""
        try:
            self._api().request("PUT", f"{_ADMIN}/{spec.lab_id}", {})
        except ApiError as e:
            raise ProvisionError(
                f"The simulated cluster could not be made: {e.message}", permanent=e.status < 500
            ) from e
        except Unavailable as e:
            raise ProvisionError("The process that serves simulated clusters does not answer.", cure=_CURE) from e
        return Handle(self.name, spec.lab_id)

    def state(self, handle: Handle) -> ClusterState:
        """READY or ABSENT: there is nothing between."""
        try:
            self._api().request("GET", f"{_ADMIN}/{handle.lab_id}")
        except ApiError as e:
            return ClusterState.ABSENT if e.status == 404 else ClusterState.FAILED
        except ApiUnreachable:
            return ClusterState.FAILED
        return ClusterState.READY

    def access(self, handle: Handle, role: Role) -> Access:
        """A token for one cluster and role.

        :raises NotFound: the cluster is gone. :raises Unavailable: the API process does not answer.
        """
        state = self.state(handle)
        if state is ClusterState.ABSENT:
            raise NotFound("This lab's cluster is gone.", cure="Open the lab again.")
        if state is not ClusterState.READY:
            raise Unavailable("The process that serves simulated clusters does not answer.", cure=_CURE)
        ca_pem, secret = self._keys()
        token = auth.token(secret, handle.lab_id, role.value)
        return Access(f"{self._url}/clusters/{handle.lab_id}", ca_pem, token)

    def delete(self, handle: Handle) -> None:
        """Remove the cluster and all its objects; idempotent."""
        self._api().delete(f"{_ADMIN}/{handle.lab_id}")

    def owned(self) -> Iterable[Handle]:
        """Every simulated cluster there is."""
        found = self._api().request("GET", _ADMIN)
        return [Handle(self.name, str(i["id"])) for i in found.get("clusters", found.get("items", []))]

    def apply_bulk(self, handle: Handle, objects: Sequence[Object]) -> None:
        """Write many objects in one request: what makes a lab ready within milliseconds.

        :raises ProvisionError: an object was refused; the message names it.
        """
        body: dict[str, Any] = {"objects": list(objects)}
        try:
            self._api().request("POST", f"{_ADMIN}/{handle.lab_id}/objects", body)
        except ApiError as e:
            raise ProvisionError(f"The lab's manifests were refused: {e.message}", permanent=True) from e

    def _api(self) -> KubeApi:
        if self._admin is None:
            ca_pem, secret = self._keys()
            self._admin = KubeApi(Access(self._url, ca_pem, auth.token(secret, "", "admin")))
        return self._admin
