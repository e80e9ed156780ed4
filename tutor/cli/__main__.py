"""``python -m tutor.cli`` is the ``kubetutor`` command."""

from tutor.cli import main

main()
