"""Kubetutor: lessons, quizzes and labs on Kubernetes, with repairs verified by real traffic."""

__version__ = "0.1.0"
