"""The tables as the program uses them. `store.migrations` makes them; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    DOUBLE_PRECISION,
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Table,
    Text,
)

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
    Column("error", Text),
    Column("summary", JSON, nullable=False),
    Column("host", Text, nullable=False),
    Column("process_id", BigInteger, nullable=False),
    Column("process_started", DOUBLE_PRECISION),  # seconds since 1970: tells a process from a later one with its number
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
    Column("error", Text),
    Column("result", JSON(none_as_null=True)),
)

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
