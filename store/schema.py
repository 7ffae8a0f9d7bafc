"""The tables as the program uses them. `store.migrations` makes them; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    DOUBLE_PRECISION,
    JSON,
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)


class Told(TypeDecorator[str]):
    """Text from anywhere, such as an error's. What no database keeps, a zero byte or half a surrogate pair, becomes a
    question mark."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """As SQLAlchemy calls it, before writing."""
        return None if value is None else value.encode("utf-8", "replace").decode().replace("\0", "?")


metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False, unique=True),  # newest is highest, also after a clock was set back
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("config", JSON, nullable=False),
    Column("task", Text, nullable=False),
    Column("objective", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("ended_at", Text),
    Column("data_fingerprint", Text),
    Column("model", Text),
    Column("error", Told),
    Column("summary", JSON, nullable=False),
    Column("host", Text, nullable=False),
    Column("process_id", BigInteger, nullable=False),
    Column("process_started", DOUBLE_PRECISION),  # seconds since 1970, by a clock that may be set; for people
    Column("used_seconds", DOUBLE_PRECISION, nullable=False, server_default="0"),
    Column("beat", BigInteger, nullable=False, server_default="0"),  # grows while the run's process lives
    Column("beat_at", Text),  # ISO 8601, UTC, by the database's clock
    Column("process_mark", Text),  # tells a process from a later one with its number; NULL: nobody owns the run
)

trials = Table(
    "trials",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("space", Text, nullable=False),
    Column("hyperparameters", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("score", DOUBLE_PRECISION),
    Column("error", Told),
    Column("result", JSON(none_as_null=True)),
    Column("origin", Text, nullable=False, server_default=""),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("batch_divisor", Integer, nullable=False, server_default="1"),
)

leases = Table(
    "leases",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("process_id", BigInteger, nullable=False),
    Column("max_seconds", DOUBLE_PRECISION, nullable=False),
    Column("beat", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(["run_id", "number"], ["trials.run_id", "trials.number"]),
)
"""One row for each running trial: a running trial without one is a mistake."""

epochs = Table(
    "epochs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("score", DOUBLE_PRECISION, nullable=False),
    Column("train_loss", DOUBLE_PRECISION),  # NULL: not a number
    Column("val_loss", DOUBLE_PRECISION),
    Column("seconds", DOUBLE_PRECISION, nullable=False),
    ForeignKeyConstraint(["run_id", "number"], ["trials.run_id", "trials.number"]),
)

models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("sequence", BigInteger, nullable=False, unique=True),
    Column("bundle_id", Text, nullable=False, unique=True),
    Column("run_id", Text, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("summary", JSON, nullable=False),
)
