"""Objects that tests apply."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def deployment(name: str = "web", replicas: int = 2, **container: Any) -> Json:
    """A deployment that listens on 8080."""
    labels = {"app": name}
    main = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", "httpd -f -p 8080"],
        "ports": [{"containerPort": 8080}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [main | container]}},
        },
    }


def service(name: str = "web", **spec: Any) -> Json:
    """A service from port 80 to 8080 of the deployment of that name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]} | spec,
    }


def policy(name: str = "deny", **spec: Any) -> Json:
    """A policy that selects every pod."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {}} | spec,
    }


def config_map(name: str = "settings", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
