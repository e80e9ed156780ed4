"""What ``exec`` finds in a simulated pod: a small, honest shell and the tools of the pod's image."""

from tutor.kubesim.shell.execute import execute

__all__ = ["execute"]
