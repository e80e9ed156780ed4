"""A container's environment variables."""

from __future__ import annotations

from tutor.kubesim.view import Object, View

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(view: View, pod: Object, container: Object) -> dict[str, str]:
    """A container's environment: its own variables and those of the services in its namespace."""
    env = {"PATH": _PATH, "HOSTNAME": pod["metadata"]["name"], "HOME": "/root"}
    for service in view.list("services"):
        meta, spec = service["metadata"], service["spec"]
        local = meta["namespace"] == pod["metadata"]["namespace"] or (meta["namespace"], meta["name"]) == (
            "default",
            "kubernetes",
        )
        ip = spec.get("clusterIP")
        if not local or not ip or ip == "None":
            continue
        name = meta["name"].upper().replace("-", "_")
        ports = spec.get("ports") or []
        if ports:
            env |= {f"{name}_SERVICE_HOST": ip, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
            env[f"{name}_PORT"] = f"{ports[0].get('protocol', 'TCP').lower()}://{ip}:{ports[0]['port']}"
    for variable in container.get("env") or []:
        source = (variable.get("valueFrom") or {}).get("fieldRef", {}).get("fieldPath")
        fields = {
            "metadata.name": pod["metadata"]["name"],
            "metadata.namespace": pod["metadata"]["namespace"],
            "status.podIP": (pod.get("status") or {}).get("podIP", ""),
        }
        env[variable["name"]] = str(variable.get("value", "")) or fields.get(source or "", "")
    return env
