"""NetworkPolicy v1: evaluate, explain, validate. Pure: no I/O, no clock."""

from tutor.policy.evaluate import Cluster
from tutor.policy.explain import tree
from tutor.policy.model import (
    ContainerPort,
    Direction,
    DirectionVerdict,
    Endpoint,
    External,
    NearMiss,
    Pod,
    Protocol,
    RuleRef,
    Verdict,
)
from tutor.policy.validate import FieldError, validate

__all__ = [
    "Cluster",
    "ContainerPort",
    "Direction",
    "DirectionVerdict",
    "Endpoint",
    "External",
    "FieldError",
    "NearMiss",
    "Pod",
    "Protocol",
    "RuleRef",
    "Verdict",
    "tree",
    "validate",
]
