"""People, their threads, the steps and elements of these, and what people said of answers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_people_and_threads()
    _create_steps()
    _create_elements()
    _create_feedback()


def _create_people_and_threads() -> None:
    op.create_table(
        "dateline_people",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("identifier", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
    )
    op.create_table(
        "dateline_threads",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("person_id", sa.Text, sa.ForeignKey("dateline_people.id", ondelete="CASCADE")),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("active_at", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON),
    )
    op.create_index("dateline_threads_newest", "dateline_threads", ["person_id", "active_at", "id"])
    op.create_table("dateline_deleted_threads", sa.Column("thread_id", sa.Text, primary_key=True))


def _create_steps() -> None:
    op.create_table(
        "dateline_steps",
        sa.Column("id", sa.Text, primary_key=True),
        _thread_id(),
        sa.Column("parent_id", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("is_favorite", sa.Boolean, nullable=False),
        sa.Column("is_error", sa.Boolean, nullable=False),
        sa.Column("streaming", sa.Boolean, nullable=False),
        sa.Column("start", sa.Text),
        sa.Column("end", sa.Text),
        sa.Column("tags", sa.JSON),
        sa.Column("generation", sa.JSON),
        sa.Column("show_input", sa.JSON),
        sa.Column("language", sa.Text),
        sa.Column("command", sa.Text),
        sa.Column("modes", sa.JSON),
        sa.Column("wait_for_answer", sa.Boolean),
        sa.Column("default_open", sa.Boolean),
        sa.Column("auto_collapse", sa.Boolean),
    )
    op.create_index("dateline_steps_in_order", "dateline_steps", ["thread_id", "created_at", "id"])
    op.create_index("dateline_steps_parent", "dateline_steps", ["parent_id"])


def _create_elements() -> None:
    op.create_table(
        "dateline_elements",
        sa.Column("id", sa.Text, primary_key=True),
        _thread_id(),
        sa.Column("step_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("display", sa.Text, nullable=False),
        sa.Column("mime", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("props", sa.JSON),
        sa.Column("size", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("page", sa.Integer),
        sa.Column("auto_play", sa.Boolean),
        sa.Column("player_config", sa.JSON),
    )
    op.create_index(
        "dateline_elements_in_order", "dateline_elements", ["thread_id", "created_at", "id"]
    )
    op.create_index("dateline_elements_step", "dateline_elements", ["step_id"])


def _create_feedback() -> None:
    op.create_table(
        "dateline_feedback",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column(
            "step_id",
            sa.Text,
            sa.ForeignKey("dateline_steps.id", ondelete="CASCADE"),
            nullable=False,
            unique=True,
        ),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("value", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text),
    )


def _thread_id() -> sa.Column[str]:
    return sa.Column(
        "thread_id",
        sa.Text,
        sa.ForeignKey("dateline_threads.id", ondelete="CASCADE"),
        nullable=False,
    )
