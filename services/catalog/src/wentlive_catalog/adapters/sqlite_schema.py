"""The catalog's tables in SQLite: what is asked for by is a column, the rest is the model's JSON."""

FIRST = (
    """CREATE TABLE creators (
        handle TEXT PRIMARY KEY, creator_id TEXT, version INTEGER NOT NULL, body TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX creators_by_id ON creators (creator_id)",
    """CREATE TABLE follows (
        follower TEXT NOT NULL, handle TEXT NOT NULL REFERENCES creators, PRIMARY KEY (handle, follower)
    ) WITHOUT ROWID""",
    """CREATE TABLE recordings (
        recording_id TEXT PRIMARY KEY, handle TEXT NOT NULL, state TEXT NOT NULL,
        version INTEGER NOT NULL, body TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX recordings_by_handle ON recordings (handle, recording_id)",
    "CREATE INDEX recordings_by_state ON recordings (state, recording_id)",
    """CREATE TABLE sessions (
        token_hash TEXT PRIMARY KEY, expires_at TEXT NOT NULL, body TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
)

# Recordings are looked through in a narrow table beside the bodies: a filter without an index reads megabytes less.
LIBRARY = (
    "CREATE INDEX follows_by_follower ON follows (follower, handle)",
    "DROP TABLE sessions",
    "DROP INDEX recordings_by_handle",
    "DROP INDEX recordings_by_state",
    "ALTER TABLE recordings DROP COLUMN handle",
    "ALTER TABLE recordings DROP COLUMN state",
    """CREATE TABLE recording_facts (
        id INTEGER PRIMARY KEY, form INTEGER NOT NULL, recording_id TEXT NOT NULL UNIQUE,
        place TEXT NOT NULL, pinned INTEGER NOT NULL, touched INTEGER NOT NULL, state TEXT NOT NULL,
        handle TEXT NOT NULL, creator_id TEXT NOT NULL, bytes INTEGER NOT NULL, duration REAL NOT NULL,
        cost REAL NOT NULL,
        started_at TEXT NOT NULL, ended_at TEXT, day TEXT NOT NULL, words TEXT NOT NULL
    )""",
    "CREATE INDEX facts_by_handle ON recording_facts (handle, recording_id, place, bytes, duration, cost)",
    "CREATE INDEX facts_by_state ON recording_facts (state, recording_id, place)",
    "CREATE INDEX facts_by_bytes ON recording_facts (bytes, recording_id, place)",
    "CREATE INDEX facts_by_duration ON recording_facts (duration, recording_id, place)",
    # In the usual order, with what is filtered by: whatever few of many are looked for, no row is read in vain.
    """CREATE INDEX facts_in_order ON recording_facts (
        recording_id, place, state, handle, bytes, duration, started_at, pinned, touched, cost
    )""",
    "CREATE INDEX facts_by_start ON recording_facts (started_at, recording_id)",
    "CREATE INDEX facts_by_day ON recording_facts (day, place, bytes, duration, cost)",
    "CREATE INDEX facts_pinned ON recording_facts (recording_id) WHERE pinned",
    "CREATE INDEX facts_touched ON recording_facts (recording_id) WHERE touched",
    "CREATE INDEX facts_by_place ON recording_facts (place, recording_id)",
    """CREATE VIRTUAL TABLE recording_words USING fts5 (
        words, content = 'recording_facts', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0',
        prefix = '1 2 3'
    )""",
    """CREATE TRIGGER facts_added AFTER INSERT ON recording_facts BEGIN
        INSERT INTO recording_words (rowid, words) VALUES (new.id, new.words);
    END""",
    """CREATE TRIGGER facts_removed AFTER DELETE ON recording_facts BEGIN
        INSERT INTO recording_words (recording_words, rowid, words) VALUES ('delete', old.id, old.words);
    END""",
    """CREATE TRIGGER facts_reworded AFTER UPDATE OF words ON recording_facts WHEN old.words <> new.words BEGIN
        INSERT INTO recording_words (recording_words, rowid, words) VALUES ('delete', old.id, old.words);
        INSERT INTO recording_words (rowid, words) VALUES (new.id, new.words);
    END""",
)

MIGRATIONS = (FIRST, LIBRARY)
"""`MIGRATIONS[n]` leads from version n to n + 1. Tables of `documents` are made from their declarations instead."""
