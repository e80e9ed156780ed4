"""Which kubectl commands the console runs, with which flags; and why the others are refused. Tables only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Takes(Enum):
    """What a flag takes."""

    NOTHING = "nothing"  # --flag, or --flag=true|false
    VALUE = "value"  # --flag=x or --flag x
    MAYBE = "maybe"  # --flag, or --flag=x
    FILE = "file"  # a file of the lab's workspace
    OUTPUT = "output"  # an output format that reads no file


@dataclass(frozen=True)
class Command:
    """A kubectl command. ``subcommands`` empty: it has none. ``dash``: words after -- are a program for a pod."""

    flags: Mapping[str, Takes]
    short: Mapping[str, str]
    subcommands: tuple[str, ...] = ()
    dash: bool = False


N, V, M, F, O = Takes.NOTHING, Takes.VALUE, Takes.MAYBE, Takes.FILE, Takes.OUTPUT  # noqa: E741 - columns of the tables

_EVERYWHERE = {"namespace": V, "request-timeout": V, "warnings-as-errors": N, "v": V, "help": N}
_SHORT_EVERYWHERE = {"n": "namespace", "v": "v", "h": "help"}
_SHORTS = {
    "o": "output",
    "l": "selector",
    "A": "all-namespaces",
    "f": "filename",
    "w": "watch",
    "L": "label-columns",
    "c": "container",
    "p": "previous",
    "i": "stdin",
    "t": "tty",
    "q": "quiet",
    "R": "recursive",
}


def _command(
    spec: str, subcommands: str = "", *, dash: bool = False, short: Mapping[str, str] | None = None
) -> Command:
    """``spec``: flags by what they take: ``name`` nothing, ``name=`` a value, ``name?`` maybe, ``name@`` a file, ``name%`` an output."""
    kinds = {"=": V, "?": M, "@": F, "%": O}
    flags = dict(_EVERYWHERE)
    for word in spec.split():
        flags[word.rstrip("=?@%")] = kinds.get(word[-1], N)
    shorts = _SHORT_EVERYWHERE | {s: f for s, f in _SHORTS.items() if f in flags} | dict(short or {})
    return Command(flags, shorts, tuple(subcommands.split()), dash)


_PICK = "selector= field-selector= all-namespaces filename@"
_CHANGE = "dry-run? output% show-managed-fields field-manager="

COMMANDS: Mapping[str, Command] = {
    "get": _command(
        f"{_PICK} output% watch watch-only output-watch-events show-labels show-kind no-headers ignore-not-found sort-by= "
        "label-columns= chunk-size= show-managed-fields subresource= server-print"
    ),
    "describe": _command(f"{_PICK} show-events chunk-size="),
    "apply": _command(f"filename@ {_CHANGE} server-side force-conflicts validate? overwrite wait timeout= force", ""),
    "create": _command(
        f"filename@ {_CHANGE} validate? save-config image= replicas= port= from-literal= tcp= node-port= clusterip= type= verb= "
        "resource= resource-name= role= clusterrole= serviceaccount= user= group= schedule= restart= class= rule= hard= duration=",
        dash=True,
    ),
    "delete": _command(f"{_PICK} all force grace-period= ignore-not-found now output% timeout= wait cascade? dry-run?"),
    "label": _command(f"{_PICK} {_CHANGE} all list overwrite resource-version="),
    "annotate": _command(f"{_PICK} {_CHANGE} all list overwrite resource-version="),
    "patch": _command(f"filename@ {_CHANGE} patch= type= subresource= patch-file@", short={"p": "patch"}),
    "scale": _command(f"selector= filename@ {_CHANGE} all replicas= current-replicas= resource-version= timeout="),
    "logs": _command(
        "selector= container= follow since= since-time= tail= timestamps prefix previous all-containers all-pods limit-bytes= "
        "max-log-requests= ignore-errors pod-running-timeout=",
        short={"f": "follow"},
    ),
    "exec": _command("container= stdin tty quiet pod-running-timeout=", dash=True),
    "wait": _command(f"{_PICK} for= timeout= all output%"),
    "rollout": _command(
        "selector= filename@ watch timeout= revision= to-revision= output% dry-run?",
        "status history restart undo pause resume",
    ),
    "run": _command(
        f"{_CHANGE} image= image-pull-policy= restart= rm stdin tty attach command env= labels= port= overrides= override-type= "
        "quiet pod-running-timeout= annotations= timeout= wait grace-period=",
        dash=True,
        short={"l": "labels"},
    ),
    "explain": _command("recursive api-version= output="),
    "api-resources": _command("namespaced api-group= output% no-headers verbs= sort-by= cached categories="),
    "api-versions": _command(""),
    "auth": _command("all-namespaces quiet list no-headers subresource= output%", "can-i whoami"),
    "version": _command("client output%"),
    "diff": _command("filename@ selector= server-side force-conflicts field-manager= show-managed-fields"),
    "events": _command("all-namespaces for= types= watch no-headers output%"),
    "expose": _command(
        f"{_CHANGE} selector= port= target-port= protocol= name= type= labels= cluster-ip= overrides=",
        short={"l": "labels"},
    ),
    "set": _command(
        f"selector= {_CHANGE} all env= requests= limits= containers= list overwrite",
        "image env resources selector",
        short={"e": "env", "c": "containers"},
    ),
    "cluster-info": _command(""),
}

REFUSED_COMMANDS: Mapping[str, str] = {
    "edit": "edit needs a terminal of its own. Change the object in the editor beside the console, or with kubectl patch.",
    "top": "top needs the metrics server, which this cluster does not run.",
    "config": "config changes which cluster kubectl speaks to. This console speaks to this lab only.",
    "proxy": "proxy opens a port on the server that runs these pages.",
    "port-forward": "port-forward opens a port on the server that runs these pages. Use kubetutor lab shell from your own terminal.",
    "attach": "attach needs a terminal. Use kubectl logs -f, or kubetutor lab shell from your own terminal.",
    "cp": "cp reads and writes files of the server that runs these pages. Use kubectl exec POD -- cat FILE.",
    "plugin": "plugins are programs of the server that runs these pages.",
    "debug": "debug needs a terminal. Use kubectl exec POD -- COMMAND, or kubectl run.",
    "kustomize": "kustomize reads whole directories. Apply the manifests in the editor.",
    "replace": "replace overwrites whole objects. Use kubectl apply.",
    "certificate": "certificates of the cluster are no part of this lab.",
    "drain": "nodes are no part of this lab.",
    "cordon": "nodes are no part of this lab.",
    "uncordon": "nodes are no part of this lab.",
    "taint": "nodes are no part of this lab.",
    "completion": "completion is for a shell of one's own.",
    "alpha": "alpha commands are not run here.",
    "kuberc": "kuberc changes how kubectl behaves on the server that runs these pages.",
}

_OTHER_CLUSTER = "it would make kubectl speak to another cluster. This console speaks to this lab only."
_OTHER_USER = "it would make kubectl act as somebody else. This console acts as you only."
_SERVER_FILE = "it reads or writes files of the server that runs these pages."

REFUSED_FLAGS: Mapping[str, str] = {
    **dict.fromkeys(
        ("kubeconfig", "server", "s", "context", "cluster", "tls-server-name", "proxy-url"), _OTHER_CLUSTER
    ),
    **dict.fromkeys(
        ("token", "as", "as-group", "as-uid", "as-user-extra", "user", "username", "password"), _OTHER_USER
    ),
    **dict.fromkeys(
        (
            "cache-dir",
            "certificate-authority",
            "client-certificate",
            "client-key",
            "profile",
            "profile-output",
            "log-file",
            "log-dir",
            "kuberc",
            "from-file",
            "from-env-file",
            "cert",
            "key",
            "kustomize",
            "k",
            "template",
            "output-directory",
        ),
        _SERVER_FILE,
    ),
    "insecure-skip-tls-verify": "it would trust a server whose identity was not checked.",
    "insecure-skip-tls-verify-backend": "it would trust a server whose identity was not checked.",
    "raw": "it calls any URL of the API. Use the commands for objects.",
    "disable-compression": "it is not needed here.",
    "prune": "it deletes objects that the file does not name.",
    "prune-allowlist": "it deletes objects that the file does not name.",
    "edit": "it needs a terminal of its own. Use the editor beside the console.",
    "windows-line-endings": "it is for an editor, and there is none here.",
    "recursive": "it reads whole directories. Name the file.",
    "R": "it reads whole directories. Name the file.",
}
