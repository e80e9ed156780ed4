"""Every table of Kubetutor's own, known to :class:`tutor.store.base.Base` once this module is imported."""

from tutor.store import lab_tables, quiz_tables
from tutor.store.base import Base

__all__ = ["Base", "lab_tables", "quiz_tables"]
