"""Verification by real traffic: probes, controls, three states, diagnosis, evidence."""

from tutor.verify.preflight import preflight
from tutor.verify.result import CheckResult, Evidence, Outcome, StageResult
from tutor.verify.stage import KINDS, run_stage

__all__ = ["KINDS", "CheckResult", "Evidence", "Outcome", "StageResult", "preflight", "run_stage"]
