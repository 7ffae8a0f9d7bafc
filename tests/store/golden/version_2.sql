-- A database of schema version 2 as the program writes it. Once released never edit: people have such files.
PRAGMA journal_mode = WAL;
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO "schema_version" VALUES(2);
CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    config JSON NOT NULL,
    task TEXT NOT NULL,
    objective TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    data_fingerprint TEXT,
    model TEXT,
    error TEXT,
    summary JSON NOT NULL,
    host TEXT NOT NULL,
    process_id BIGINT NOT NULL,
    process_started DOUBLE PRECISION
    , used_seconds DOUBLE PRECISION NOT NULL DEFAULT 0, beat BIGINT NOT NULL DEFAULT 0, beat_at TEXT, process_mark TEXT);
INSERT INTO "runs" VALUES('5c1d',1,'shirts','running','{"data": "photos", "seed": 7, "until": "accuracy=0.97", "algorithm": "tpe"}','classification','accuracy','2026-03-04T05:06:07+00:00',NULL,'fp2',NULL,NULL,'{"left_out": []}','desk',4242,1772600000.5,61.5,1,'2026-03-04T05:08:00+00:00','a-start/pid:[4026531836]/77');
CREATE TABLE trials (
    run_id TEXT NOT NULL REFERENCES runs (id),
    number INTEGER NOT NULL,
    space TEXT NOT NULL,
    hyperparameters JSON NOT NULL,
    state TEXT NOT NULL,
    seed BIGINT NOT NULL,
    score DOUBLE PRECISION,
    error TEXT,
    result JSON, origin TEXT NOT NULL DEFAULT '', attempt INTEGER NOT NULL DEFAULT 1, batch_divisor INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (run_id, number)
    );
INSERT INTO "trials" VALUES('5c1d',0,'cnn','{}','completed',7,0.875,NULL,'{"score": 0.875, "best_step": 5, "steps": 10, "planned_steps": 10, "steps_per_epoch": 5, "seconds": 3.5, "train_seconds": 2.5, "predict_seconds": 0.25, "num_parameters": 94000, "peak_memory_bytes": 600000000, "loss": 0.5, "metrics": {"accuracy": 0.875}, "pruned": false, "graph_reused": false, "resumed_at_step": 0}','floor',1,1);
INSERT INTO "trials" VALUES('5c1d',1,'cnn','{"cnn/filters": 32}','pruned',8,0.5,NULL,'{"score": 0.5, "best_step": 5, "steps": 10, "planned_steps": 10, "steps_per_epoch": 5, "seconds": 3.5, "train_seconds": 2.5, "predict_seconds": 0.25, "num_parameters": 94000, "peak_memory_bytes": 600000000, "loss": 0.5, "metrics": {"accuracy": 0.5}, "pruned": true, "graph_reused": true, "resumed_at_step": 5}','portfolio: small images',1,2);
INSERT INTO "trials" VALUES('5c1d',2,'cnn','{"cnn/filters": 64}','failed',9,NULL,'out of memory',NULL,'tpe',1,1);
INSERT INTO "trials" VALUES('5c1d',3,'cnn','{"cnn/filters": 16}','waiting',10,NULL,NULL,NULL,'tpe',2,1);
INSERT INTO "trials" VALUES('5c1d',4,'cnn','{"cnn/filters": 48}','running',11,NULL,NULL,NULL,'tpe',1,1);
CREATE TABLE epochs (
    run_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    train_loss DOUBLE PRECISION,
    val_loss DOUBLE PRECISION,
    seconds DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (run_id, number, epoch),
    FOREIGN KEY (run_id, number) REFERENCES trials (run_id, number)
    );
INSERT INTO "epochs" VALUES('5c1d',0,1,0.875,0.75,0.5,1.5);
INSERT INTO "epochs" VALUES('5c1d',3,1,0.25,1.0,1.0,2.0);
CREATE TABLE models (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    sequence BIGINT NOT NULL UNIQUE,
    bundle_id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    checksum TEXT NOT NULL,
    created_at TEXT NOT NULL,
    summary JSON NOT NULL,
    PRIMARY KEY (name, version)
    );
CREATE TABLE leases (
    run_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    worker TEXT NOT NULL,
    host TEXT NOT NULL,
    process_id BIGINT NOT NULL,
    max_seconds DOUBLE PRECISION NOT NULL,
    beat BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, number),
    FOREIGN KEY (run_id, number) REFERENCES trials (run_id, number)
    );
INSERT INTO "leases" VALUES('5c1d',4,'w3','desk',4243,30.0,1);
