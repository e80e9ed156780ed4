"""The editor: YAML text to the cluster, document by document, each problem told at its line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tutor.clusters.api import ApiError, KubeApi
from tutor.clusters.provider import Access
from tutor.errors import InvalidInput

MANAGER = "kubetutor-editor"
MAX_BYTES = 1024 * 1024
MAX_DOCUMENTS = 200
_MAX_DEPTH = 60
_MAX_ALIASES = 100


@dataclass(frozen=True)
class Problem:
    """Something wrong. ``line`` counts from 1; 0 when it belongs to no line."""

    line: int
    message: str


@dataclass(frozen=True)
class ApplyResult:
    """What became of the editor's text. ``lines``: one for each object that was taken, as kubectl says it."""

    ok: bool
    lines: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class LineError(InvalidInput):
    """Something in the text that cannot be used, at a line that is known."""

    def __init__(self, line: int, message: str, *, cure: str = "") -> None:
        super().__init__(message, cure=cure)
        self.line = line


@dataclass(frozen=True)
class Document:
    """One manifest with the tree that knows its lines."""

    obj: dict[str, Any]
    node: yaml.MappingNode
    label: str

    @property
    def line(self) -> int:
        """Where it begins."""
        return _line(self.node)

    def line_of(self, path: str) -> int:
        """The line of a field as the API names it (``spec.ingress[0].ports[1].port``), or of its nearest parent."""
        node: yaml.Node = self.node
        line = self.line
        for key, index in re.findall(r"([^.\[\]]+)|\[([^\]]*)\]", path):
            step = _step(node, key or index.strip('"'))
            if step is None:
                break
            line, node = step
        return line


def _step(node: yaml.Node, key: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for k, v in node.value:
            if k.value == key:
                return _line(k), v
    if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
        child = node.value[int(key)]
        return _line(child), child
    return None


def apply(access: Access, text: str, *, namespace: str, dry_run: bool) -> ApplyResult:
    """Apply every document of a text, or none when one cannot be read.

    Each is tried on the server first, so that a refused document leaves the cluster as it was.

    :param namespace: for namespaced objects that name none.
    :param dry_run: only try.
    :raises ApiUnreachable: the cluster does not answer.
    """
    documents, problems = parse(text)
    if problems:
        return ApplyResult(False, (), tuple(problems))
    with KubeApi(access) as api:
        problems = list(_try(api, documents, namespace))
        if problems or dry_run:
            lines = () if problems else tuple(f"{d.label} would be applied (dry run)" for d in documents)
            return ApplyResult(not problems, lines, tuple(problems))
        done: list[str] = []
        for document in documents:
            try:
                found = api.apply(document.obj, namespace=namespace, manager=MANAGER)
            except ApiError as e:
                return ApplyResult(False, tuple(done), tuple(_problems(document, e)))
            done.append(f"{document.label} {_verb(found)}")
    return ApplyResult(True, tuple(done))


def _verb(found: dict[str, Any]) -> str:
    return (
        "created" if (found.get("metadata") or {}).get("generation", 1) == 1 and not _was_there(found) else "configured"
    )


def _was_there(found: dict[str, Any]) -> bool:
    fields = (found.get("metadata") or {}).get("managedFields") or []
    times = {f.get("time") for f in fields if f.get("time")}
    created = (found.get("metadata") or {}).get("creationTimestamp")
    return bool(times) and created not in times


def _try(api: KubeApi, documents: list[Document], namespace: str) -> Iterator[Problem]:
    made_here = {d.obj["metadata"]["name"] for d in documents if d.obj["kind"] == "Namespace"}
    for document in documents:
        try:
            api.apply(document.obj, namespace=namespace, manager=MANAGER, dry_run=True)
        except ApiError as e:
            where = document.obj["metadata"].get("namespace", namespace)
            if e.status == 404 and where in made_here:
                continue  # its namespace comes with this very text, so it cannot be tried before
            yield from _problems(document, e)
        except InvalidInput as e:
            yield Problem(document.line_of("kind"), str(e))


def _problems(document: Document, error: ApiError) -> Iterator[Problem]:
    causes = error.causes
    if not causes:
        match = re.search(r'unknown field "([^"]+)"', error.message)
        yield Problem(document.line_of(match[1]) if match else document.line, error.message)
    for path, message in causes:
        yield Problem(document.line_of(path), f"{path}: {message}" if path else message)


def parse(text: str) -> tuple[list[Document], list[Problem]]:
    """The manifests of a text, or what is wrong with it."""
    size = len(text.encode())
    if size > MAX_BYTES:
        return [], [
            Problem(
                0,
                f"The text has {size / 1024 / 1024:.1f} MB; the editor takes {MAX_BYTES // 1024 // 1024} MB. Apply it in parts.",
            )
        ]
    try:
        _guard(text)
        nodes = [n for n in yaml.compose_all(text, Loader=_LOADER) if n is not None]
    except LineError as e:
        return [], [Problem(e.line, str(e))]
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        last = text.count("\n", 0, len(text.rstrip())) + 1  # an unclosed bracket is noticed behind the last line
        return [], [
            Problem(min(int(mark.line) + 1, last) if mark else 0, f"This is not YAML: {e.problem or e.context}.")
        ]
    except yaml.YAMLError as e:
        return [], [Problem(0, f"This is not YAML: {str(e).splitlines()[0]}.")]
    return _documents([n for n in nodes if not _is_null(n)])


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _line(place: Any) -> int:
    return int(place.start_mark.line) + 1


def _guard(text: str) -> None:
    """Refuse what would make a small text a huge value: deep nesting and alias bombs.

    :raises LineError: too deep, or too many aliases. :raises yaml.YAMLError: not YAML.
    """
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > _MAX_DEPTH:
            raise LineError(_line(event), f"Nested more than {_MAX_DEPTH} levels deep.")
        if aliases > _MAX_ALIASES:
            raise LineError(_line(event), f"More than {_MAX_ALIASES} aliases.", cure="Write the values out.")


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _documents(nodes: list[yaml.Node]) -> tuple[list[Document], list[Problem]]:
    documents: list[Document] = []
    problems: list[Problem] = []
    if not nodes:
        problems.append(Problem(0, "There is no manifest in the editor."))
    for node in _flat(nodes):
        line = _line(node)
        try:
            documents.append(_document(node))
        except InvalidInput as e:
            problems.append(Problem(e.line if isinstance(e, LineError) else line, str(e)))
        except yaml.MarkedYAMLError as e:
            problems.append(
                Problem(
                    int(e.problem_mark.line) + 1 if e.problem_mark else line, f"This value cannot be read: {e.problem}."
                )
            )
        except (ValueError, TypeError, RecursionError) as e:
            problems.append(Problem(line, f"A value cannot be read: {e}."))
        if len(documents) > MAX_DOCUMENTS:
            return [], [Problem(line, f"More than {MAX_DOCUMENTS} manifests in one text. Apply them in parts.")]
    return documents, problems


def _flat(nodes: list[yaml.Node]) -> Iterator[yaml.Node]:
    """Documents, and the members of ``kind: List``."""
    for node in nodes:
        kind, items = _step(node, "kind"), _step(node, "items")
        if kind and items and kind[1].value == "List" and isinstance(items[1], yaml.SequenceNode):
            yield from items[1].value
        else:
            yield node


def _document(node: yaml.Node) -> Document:
    if not isinstance(node, yaml.MappingNode):
        raise InvalidInput(
            "A manifest is a mapping with apiVersion, kind and metadata.", cure="Separate manifests by a line with ---."
        )
    _no_duplicates(node)
    loader = _LOADER("")
    try:
        obj = loader.construct_document(node)
    finally:
        loader.dispose()
    for key in ("apiVersion", "kind"):
        if not isinstance(obj.get(key), str):
            raise InvalidInput(f"{key} is missing.", cure="A manifest begins with apiVersion and kind.")
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        raise InvalidInput("metadata.name is missing.", cure="Give the object a name.")
    _only_json(obj)
    group = obj["apiVersion"].partition("/")[0] if "/" in obj["apiVersion"] else ""
    label = obj["kind"].lower() + (f".{group}" if group else "") + "/" + meta["name"]
    return Document(obj, node, label)


def _no_duplicates(node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for k, v in node.value:
            if k.value in names and k.tag != "tag:yaml.org,2002:merge":
                raise LineError(_line(k), f'The key "{k.value}" stands twice; the first would be lost.')
            names.add(k.value)
            _no_duplicates(v)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _no_duplicates(child)


def _only_json(value: Any) -> None:
    """YAML knows values that JSON, and so the API, does not.

    :raises InvalidInput: a date, a set, a number that is none, a key that is no text.
    """
    if isinstance(value, dict):
        for k, v in value.items():
            if not isinstance(k, str):
                raise InvalidInput(f"The key {k!r} is not text.", cure=f'Write it in quotes: "{k}".')
            _only_json(v)
    elif isinstance(value, list):
        for v in value:
            _only_json(v)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput("A number is not a number.", cure="Write it in quotes if it is text.")
    elif value is not None and not isinstance(value, str | int | float | bool):
        raise InvalidInput(
            f"The value {value} is a {type(value).__name__}, which the API does not take.", cure="Write it in quotes."
        )
