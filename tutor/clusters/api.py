"""A small client of the Kubernetes API over an :class:`Access`: what sessions, editor and worker need, and quick to import."""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
import yaml

from tutor.clusters.provider import Access
from tutor.errors import InvalidInput, Unavailable

Object = Mapping[str, Any]
_TIMEOUT_S = 20.0
_APPLY = "application/apply-patch+yaml"


class ApiError(Unavailable):
    """The API answered with a Status of failure.

    :param status: the HTTP status.
    :param body: the decoded Status object, or empty.
    """

    code = "cluster_api"

    def __init__(self, status: int, body: Mapping[str, Any], fallback: str) -> None:
        super().__init__(str(body.get("message") or fallback))
        self.status = status
        self.body = body

    @property
    def causes(self) -> tuple[tuple[str, str], ...]:
        """(field path, message) of each cause that the API names."""
        found = (self.body.get("details") or {}).get("causes") or []
        return tuple((str(c.get("field", "")), str(c.get("message", ""))) for c in found)


class ApiUnreachable(Unavailable):
    """The API does not answer at all."""

    code = "cluster_unreachable"


@dataclass(frozen=True)
class Kind:
    """One kind the cluster serves."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """The URL path of a collection or of one object."""
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        middle = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{middle}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


class KubeApi:
    """One cluster's API. Thread-safe; close it to give its connections back."""

    def __init__(self, access: Access, *, timeout: float = _TIMEOUT_S) -> None:
        self._access = access
        self._timeout = timeout
        self._pool = urllib3.PoolManager(
            ssl_context=tls_context(access), maxsize=8, retries=False, assert_hostname=None, num_pools=2
        )
        self._headers = {"Accept": "application/json"} | (
            {"Authorization": f"Bearer {access.token}"} if access.token else {}
        )
        self._kinds: dict[str, dict[str, Kind]] = {}

    def __enter__(self) -> KubeApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give connections back."""
        self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """One request.

        :raises ApiError: the API refused it. :raises ApiUnreachable: it did not answer.
        """
        with self._open(method, path, body, query, content_type, timeout or self._timeout) as response:
            return self._decode(response.status, response.data)

    @contextmanager
    def _open(
        self, method: str, path: str, body: object, query: Mapping[str, str] | None, content_type: str, timeout: float
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        url = self._access.server + path + (f"?{urlencode(query)}" if query else "")
        headers = dict(self._headers)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = content_type
        try:
            response = self._pool.request(
                method,
                url,
                body=data,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(timeout, 5.0), read=timeout),
                preload_content=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as e:
            raise ApiUnreachable(f"The cluster's API does not answer: {_short(e)}") from e
        try:
            yield response
        except urllib3.exceptions.HTTPError as e:
            raise ApiUnreachable(f"The cluster's API broke off its answer: {_short(e)}") from e
        finally:
            response.close() if response.length_remaining else response.release_conn()

    @staticmethod
    def _decode(status: int, data: bytes) -> dict[str, Any]:
        try:
            body = json.loads(data) if data else {}
        except ValueError:
            body = {}
        if not isinstance(body, dict):
            body = {}
        if status >= 400:
            raise ApiError(status, body, f"The cluster's API answered {status}.")
        return body

    def text(self, path: str, **query: str) -> str:
        """What a path answers in plain text (a pod's log). Raises as :meth:`request` does."""
        with self._open("GET", path, None, query, "", self._timeout) as response:
            data = response.data
            if response.status >= 400:
                self._decode(response.status, data)
            return data.decode(errors="replace")

    def kind(self, api_version: str, kind: str) -> Kind | None:
        """What the cluster knows of a kind, None when it serves no such kind."""
        if api_version not in self._kinds:
            root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
            try:
                found = self.request("GET", root)
            except ApiError as e:
                if e.status != 404:
                    raise
                found = {}
            self._kinds[api_version] = {
                r["kind"]: Kind(api_version, r["kind"], r["name"], bool(r.get("namespaced")))
                for r in found.get("resources", [])
                if "/" not in r["name"]
            }
        return self._kinds[api_version].get(kind)

    def kind_of(self, obj: Object) -> Kind:
        """The kind of a manifest.

        :raises InvalidInput: the cluster serves no such kind.
        """
        api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
        found = self.kind(api_version, kind)
        if found is None:
            raise InvalidInput(
                f'The cluster knows no kind "{kind}" in version "{api_version}".',
                cure="Compare apiVersion and kind with: kubectl api-resources",
            )
        return found

    def apply(self, obj: Object, *, namespace: str, manager: str, dry_run: bool = False) -> dict[str, Any]:
        """Server-side apply of one object.

        :param namespace: for a namespaced object that names none.
        """
        kind = self.kind_of(obj)
        meta = obj.get("metadata") or {}
        where = str(meta.get("namespace") or namespace) if kind.namespaced else ""
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        path = kind.path(where, str(meta.get("name", "")))
        return self.request("PATCH", path, obj, query=query, content_type=_APPLY)

    def list(self, path: str, **query: str) -> dict[str, Any]:
        """A collection by its URL path."""
        return self.request("GET", path, query=query)

    def get(self, path: str) -> dict[str, Any] | None:
        """An object by its URL path, None when there is none."""
        try:
            return self.request("GET", path)
        except ApiError as e:
            if e.status == 404:
                return None
            raise

    def delete(self, path: str) -> None:
        """Delete an object; one that is not there is fine."""
        try:
            self.request("DELETE", path)
        except ApiError as e:
            if e.status != 404:
                raise

    def watch(self, path: str, resource_version: str, *, seconds: float) -> Iterator[dict[str, Any]]:
        """Events of a collection from a version on, until the server ends the watch.

        :param seconds: how long at most.
        :raises ApiError: among others 410 when the version is too old: list again.
        """
        query = {"watch": "true", "resourceVersion": resource_version, "timeoutSeconds": str(int(seconds))}
        with self._open("GET", path, None, query, "application/json", seconds + 10) as response:
            if response.status >= 400:
                self._decode(response.status, response.read())
            rest = b""
            for piece in response.stream(65536, decode_content=True):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if line.strip():
                        event = json.loads(line)
                        if event.get("type") == "ERROR":
                            status = event.get("object") or {}
                            raise ApiError(int(status.get("code", 500)), status, "The watch ended with an error.")
                        yield event


def tls_context(access: Access) -> ssl.SSLContext:
    """TLS that trusts the cluster's own authority and nothing else.

    :raises Unavailable: the credential is broken.
    """
    try:
        return _context(access)
    except ssl.SSLError as e:
        raise Unavailable("This cluster's credential cannot be used.", cure="Reset the lab.") from e


def _context(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.ca_pem)
    if access.client_cert_pem:
        # The ssl module reads a client certificate from a file only; it is private and gone at once.
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "client.pem"
            path.touch(mode=0o600)
            path.write_text(access.client_cert_pem + "\n" + access.client_key_pem)
            context.load_cert_chain(path)
    return context


def host_of(access: Access) -> str:
    """Host and port of the API."""
    return urlsplit(access.server).netloc


def documents(text: str) -> list[dict[str, Any]]:
    """The objects of a trusted YAML file (a lab's manifest), empty documents left out."""
    return [d for d in yaml.load_all(text, Loader=_LOADER) if d]


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _short(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error).split("\n")[0][:200]
