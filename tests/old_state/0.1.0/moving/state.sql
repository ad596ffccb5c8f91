BEGIN TRANSACTION;
CREATE TABLE acknowledged_backups (id TEXT PRIMARY KEY);
CREATE TABLE attempts (
            job INTEGER NOT NULL, batch INTEGER NOT NULL, place INTEGER NOT NULL, attempt INTEGER NOT NULL,
            spec TEXT NOT NULL, queued TEXT NOT NULL, state TEXT NOT NULL,
            started TEXT, code TEXT, base TEXT, uuid TEXT,
            ended TEXT, exit INTEGER, commits TEXT NOT NULL, detail TEXT,
            cancel_requested INTEGER NOT NULL, acknowledged INTEGER NOT NULL,
            PRIMARY KEY (job, attempt)
        );
INSERT INTO "attempts" VALUES(2,2,0,1,'{"command": "echo half > bad.txt; exit 3", "message": null, "inputs": [], "outputs": ["bad.txt"], "plain": false, "rerun_of": null}','2026-11-25T15:59:30.146186Z','failed','2026-11-25T15:59:31.381654Z','@OLD@','@BASE@','5298f582-cb0f-4b7d-a801-66c0b58efbe0','2026-11-25T15:59:31.923792Z',3,'[]','what it left is in @ROOT@/.main-runs.wtwatch/jobs/2.1',0,0);
CREATE TABLE batches (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            trigger TEXT NOT NULL,
            base TEXT,      -- on-move: the tip when it was queued
            standing INTEGER,   -- the template that it was made from
            due INTEGER,    -- its place in the order of becoming due; NULL while it waits for a move
            code TEXT       -- the commit that it runs on, from its first start to its end
        );
INSERT INTO "batches" VALUES(1,'now','@OLD@',NULL,1,'@OLD@');
INSERT INTO "batches" VALUES(2,'now','@OLD@',NULL,2,'@OLD@');
INSERT INTO "batches" VALUES(3,'now',NULL,NULL,3,'@OLD@');
INSERT INTO "batches" VALUES(4,'now','@OLD@',NULL,4,NULL);
INSERT INTO "batches" VALUES(5,'on-move','@OLD@',NULL,NULL,NULL);
INSERT INTO "batches" VALUES(6,'now','@OLD@',NULL,5,'@OLD@');
CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            batch INTEGER NOT NULL REFERENCES batches (id),
            place INTEGER NOT NULL,     -- within the batch
            attempt INTEGER NOT NULL DEFAULT 1,
            spec TEXT NOT NULL,
            queued TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'waiting',
            started TEXT, code TEXT, base TEXT, uuid TEXT,
            ended TEXT, exit INTEGER, commits TEXT NOT NULL DEFAULT '[]', detail TEXT,
            cancel_requested INTEGER NOT NULL DEFAULT 0,
            acknowledged INTEGER NOT NULL DEFAULT 0
        );
INSERT INTO "jobs" VALUES(1,1,0,1,'{"command": "echo 1 > {outputs}", "message": "make out", "inputs": [], "outputs": ["out.txt"], "plain": false, "rerun_of": null}','2026-11-25T15:59:29.826181Z','succeeded','2026-11-25T15:59:30.314528Z','@OLD@','05fec9c4f34bca5a4a5765c6feb492dd6d65d7eb','92a970b6-2cc1-4f4b-93fb-0caf05d954a6','2026-11-25T15:59:31.168621Z',0,'["@BASE@"]',NULL,0,0);
INSERT INTO "jobs" VALUES(2,3,0,2,'{"command": "echo half > bad.txt; exit 3", "message": null, "inputs": [], "outputs": ["bad.txt"], "plain": false, "rerun_of": null}','2026-11-25T15:59:32.312131Z','failed','2026-11-25T15:59:32.629953Z','@OLD@','@BASE@','949a1c86-b11d-4d4e-97bc-5d265b524967','2026-11-25T15:59:33.245971Z',3,'[]','what it left is in @ROOT@/.main-runs.wtwatch/jobs/2.2',0,0);
INSERT INTO "jobs" VALUES(3,4,0,1,'{"command": "true", "message": null, "inputs": [], "outputs": [], "plain": false, "rerun_of": null}','2026-11-25T15:59:33.850725Z','cancelled',NULL,NULL,NULL,NULL,'2026-11-25T15:59:33.968874Z',NULL,'[]',NULL,0,0);
INSERT INTO "jobs" VALUES(4,5,0,1,'{"command": "echo later > later.txt", "message": null, "inputs": [], "outputs": [], "plain": false, "rerun_of": null}','2026-11-25T15:59:34.198861Z','waiting',NULL,NULL,NULL,NULL,NULL,NULL,'[]',NULL,0,0);
INSERT INTO "jobs" VALUES(5,6,0,1,'{"command": "touch @ROOT@/reached; while [ ! -e @ROOT@/gate ]; do sleep 0.1; done; echo 5 > {outputs}", "message": null, "inputs": [], "outputs": ["n5.txt"], "plain": false, "rerun_of": null}','2026-11-25T15:59:34.612407Z','succeeded','2026-11-25T15:59:35.081852Z','@OLD@','@BASE@','2cd38ce7-f32d-4d2a-b9aa-f7ab167f83c4','2026-11-25T15:59:36.173921Z',0,'["0313ef19280960d28d2f93198d7619fb602bdf7d"]',NULL,0,0);
INSERT INTO "jobs" VALUES(6,6,1,1,'{"command": "touch @ROOT@/reached; while [ ! -e @ROOT@/gate ]; do sleep 0.1; done; echo 6 > {outputs}", "message": null, "inputs": [], "outputs": ["n6.txt"], "plain": false, "rerun_of": null}','2026-11-25T15:59:34.612407Z','cancelled',NULL,NULL,NULL,NULL,'2026-11-25T15:59:36.407925Z',NULL,'[]',NULL,0,0);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('used','@BASE@');
INSERT INTO "meta" VALUES('tip','@NEW@');
INSERT INTO "meta" VALUES('tip_at','2026-11-25T15:59:35.755938Z');
INSERT INTO "meta" VALUES('hurry','@NEW@');
CREATE TABLE standing (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            base TEXT NOT NULL, specs TEXT NOT NULL, queued TEXT NOT NULL
        );
INSERT INTO "standing" VALUES(1,'@OLD@','[{"command": "echo 1 > {outputs}", "message": null, "inputs": [], "outputs": ["s1.txt"], "plain": false, "rerun_of": null}, {"command": "echo 2 > {outputs}", "message": null, "inputs": [], "outputs": ["s2.txt"], "plain": false, "rerun_of": null}]','2026-11-25T15:59:34.462260Z');
CREATE TABLE syncs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, seconds REAL NOT NULL, backup TEXT
        );
CREATE INDEX jobs_of_batch ON jobs (batch, place);
CREATE INDEX jobs_in_state ON jobs (state);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('batches',6);
INSERT INTO "sqlite_sequence" VALUES('jobs',6);
INSERT INTO "sqlite_sequence" VALUES('standing',1);
COMMIT;
PRAGMA user_version = 1;
