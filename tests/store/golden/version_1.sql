-- A database of schema version 1 as the first release wrote it. Never edit: people have such files.
PRAGMA journal_mode = WAL;
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY, sequence BIGINT NOT NULL UNIQUE, name TEXT NOT NULL, state TEXT NOT NULL,
    config JSON NOT NULL, task TEXT NOT NULL, objective TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT,
    data_fingerprint TEXT, model TEXT, error TEXT, summary JSON NOT NULL, host TEXT NOT NULL,
    process_id BIGINT NOT NULL, process_started DOUBLE PRECISION
);
CREATE TABLE trials (
    run_id TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, space TEXT NOT NULL,
    hyperparameters JSON NOT NULL, state TEXT NOT NULL, seed BIGINT NOT NULL, score DOUBLE PRECISION, error TEXT,
    result JSON, PRIMARY KEY (run_id, number)
);
CREATE TABLE epochs (
    run_id TEXT NOT NULL, number INTEGER NOT NULL, epoch INTEGER NOT NULL, score DOUBLE PRECISION NOT NULL,
    train_loss DOUBLE PRECISION, val_loss DOUBLE PRECISION, seconds DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (run_id, number, epoch), FOREIGN KEY (run_id, number) REFERENCES trials (run_id, number)
);
CREATE TABLE models (
    name TEXT NOT NULL, version INTEGER NOT NULL, sequence BIGINT NOT NULL UNIQUE, bundle_id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL, checksum TEXT NOT NULL, created_at TEXT NOT NULL, summary JSON NOT NULL,
    PRIMARY KEY (name, version)
);
INSERT INTO runs VALUES (
    '3f2a', 1, 'shirts', 'completed', '{"data": "photos", "seed": 7}', 'classification', 'accuracy',
    '2026-01-02T03:04:05+00:00', '2026-01-02T03:14:05+00:00', 'fp1', 'shirts:1', NULL, '{"accuracy": 0.875}',
    'desk', 4242, 1767323045.5
);
INSERT INTO trials VALUES (
    '3f2a', 0, 'cnn', '{"cnn/filters": 32, "optimizer/learning_rate": 0.001, "recipe/flip": true}', 'completed', 7,
    0.875, NULL,
    '{"score": 0.875, "best_step": 5, "steps": 10, "planned_steps": 10, "steps_per_epoch": 5, "seconds": 3.5, "train_seconds": 2.5, "predict_seconds": 0.25, "num_parameters": 94000, "peak_memory_bytes": 600000000, "metrics": {"accuracy": 0.875, "log_loss": 0.5}}'
);
INSERT INTO trials VALUES ('3f2a', 1, 'cnn', '{"cnn/filters": 16}', 'failed', 8, NULL, 'out of memory', NULL);
INSERT INTO epochs VALUES ('3f2a', 0, 1, 0.875, 0.75, 0.5, 1.5);
INSERT INTO epochs VALUES ('3f2a', 0, 2, 0.75, NULL, 0.625, 3.5);
INSERT INTO models VALUES (
    'shirts', 1, 1, 'b3f2a', '3f2a', 'c0ffee', '2026-01-02T03:14:00+00:00', '{"accuracy": 0.875}'
);
