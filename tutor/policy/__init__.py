"""NetworkPolicy v1: evaluate, explain, validate. Pure: no I/O, no clock."""

from tutor.policy.ask import eval_flow, verdict_json
from tutor.policy.evaluate import Cluster
from tutor.policy.explain import tree
from tutor.policy.load import Loaded, load_documents
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
    "Loaded",
    "NearMiss",
    "Pod",
    "Protocol",
    "RuleRef",
    "Verdict",
    "eval_flow",
    "load_documents",
    "tree",
    "validate",
    "verdict_json",
]
