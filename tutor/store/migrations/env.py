"""Run by Alembic with the connection that :mod:`tutor.store.schema` hands over."""

from alembic import context

from tutor.store.tables import Base


def ours(_name: str | None, kind: str, parent: dict[str, str | None]) -> bool:
    """Only Kubetutor's own tables: the simulated clusters keep theirs in the same database."""
    name = _name if kind == "table" else parent.get("table_name")
    return not (name or "").startswith("sim_")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_name=ours,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
