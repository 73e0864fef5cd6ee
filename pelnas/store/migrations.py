"""The tables of a run, as numbered steps: step n brings a database from version n - 1 to n.

A step that was released is never changed; a new need is a new step. What is
asked for has a column (round, niche, score, latency); the rest is JSON.
"""

APPLICATION_ID = 0x50454C4E  # "PELN": marks the file as ours

_FIRST = """
CREATE TABLE run (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    started REAL NOT NULL,
    seconds REAL NOT NULL DEFAULT 0,
    ignored INTEGER NOT NULL DEFAULT 0,
    finished REAL,
    reason TEXT NOT NULL DEFAULT '',
    sources TEXT NOT NULL DEFAULT ''
);
CREATE TABLE niches (
    niche INTEGER PRIMARY KEY,
    label TEXT NOT NULL
);
CREATE TABLE plans (
    round INTEGER NOT NULL,
    position INTEGER NOT NULL,
    niche INTEGER NOT NULL,
    count INTEGER NOT NULL,
    focus TEXT NOT NULL,
    author TEXT NOT NULL,
    PRIMARY KEY (round, position)
);
CREATE TABLE designs (
    id TEXT PRIMARY KEY,
    round INTEGER NOT NULL,
    niche INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    author TEXT NOT NULL,
    method TEXT NOT NULL,
    call TEXT,
    rationale TEXT NOT NULL,
    parents TEXT NOT NULL,
    rules TEXT NOT NULL,
    UNIQUE (round, niche, slot)
);
CREATE TABLE refusals (
    round INTEGER NOT NULL,
    niche INTEGER NOT NULL,
    position INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    author TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    call TEXT,
    PRIMARY KEY (round, niche, position)
);
CREATE TABLE predictions (
    candidate TEXT PRIMARY KEY,
    score REAL NOT NULL,
    uncertainty REAL NOT NULL,
    parameters INTEGER NOT NULL,
    flops REAL NOT NULL,
    proxies TEXT NOT NULL
);
CREATE TABLE costs (
    candidate TEXT PRIMARY KEY,
    latency_ms REAL,
    spread_ms REAL NOT NULL,
    energy_mj REAL
);
CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    round INTEGER NOT NULL,
    agent TEXT NOT NULL,
    niche INTEGER,
    attempt INTEGER NOT NULL,
    model TEXT NOT NULL,
    answered_by TEXT NOT NULL,
    messages TEXT NOT NULL,
    schema TEXT NOT NULL,
    request TEXT NOT NULL,
    answer TEXT NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    seconds REAL NOT NULL,
    outcome TEXT NOT NULL,
    problem TEXT NOT NULL,
    earlier_calls INTEGER NOT NULL DEFAULT 0,
    earlier_tokens INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE proposals (
    round INTEGER NOT NULL,
    niche INTEGER NOT NULL,
    author TEXT NOT NULL,
    position INTEGER NOT NULL,
    call TEXT,
    rule TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (round, niche, position)
);
CREATE TABLE rules (
    round INTEGER NOT NULL,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (round, position)
);
CREATE INDEX rules_by_id ON rules (id, round);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
);
"""

_TRAININGS = """
CREATE TABLE images (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    name TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE TABLE trainings (
    id TEXT PRIMARY KEY,
    architecture TEXT NOT NULL,
    seed INTEGER NOT NULL,
    validation_accuracy REAL NOT NULL,
    test_accuracy REAL NOT NULL,
    epochs INTEGER NOT NULL,
    best_epoch INTEGER NOT NULL,
    seconds REAL NOT NULL,
    images TEXT NOT NULL,
    settings TEXT NOT NULL,
    weights TEXT NOT NULL,
    finished REAL NOT NULL
);
"""

# Where an event happened has columns; what a provider reports beyond plain counts of tokens is kept.
_SPANS = """
ALTER TABLE events ADD COLUMN span TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN round INTEGER;
ALTER TABLE events ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN niche INTEGER;
UPDATE events SET
    round = json_extract(data, '$.round'),
    agent = coalesce(json_extract(data, '$.agent'), ''),
    niche = json_extract(data, '$.niche'),
    data = json_remove(data, '$.round', '$.agent', '$.niche');
ALTER TABLE calls ADD COLUMN tokens_cached INTEGER;
ALTER TABLE calls ADD COLUMN tokens_reasoning INTEGER;
"""

# What people ask is appended and never changed; what became of it is appended, too.
_DIRECTIVES = """
CREATE TABLE directives (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    author TEXT NOT NULL,
    words TEXT NOT NULL,
    command TEXT NOT NULL,
    round INTEGER,
    node TEXT
);
CREATE TABLE directive_marks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    directive INTEGER NOT NULL,
    time REAL NOT NULL,
    status TEXT NOT NULL,
    round INTEGER NOT NULL,
    node TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE TRIGGER directives_stay BEFORE UPDATE ON directives BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER directives_last BEFORE DELETE ON directives BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER marks_stay BEFORE UPDATE ON directive_marks BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER marks_last BEFORE DELETE ON directive_marks BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TABLE boundaries (
    round INTEGER NOT NULL,
    node TEXT NOT NULL,
    PRIMARY KEY (round, node)
);
CREATE TABLE avoided (
    round INTEGER NOT NULL,
    niche INTEGER NOT NULL,
    directive TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (round, niche, directive)
);
CREATE TABLE measured (
    architecture TEXT PRIMARY KEY,
    latency_ms REAL,
    spread_ms REAL NOT NULL,
    energy_mj REAL
);
ALTER TABLE refusals ADD COLUMN directive TEXT;
"""

_EXHAUSTED = """
CREATE TABLE exhausted (
    niche INTEGER NOT NULL,
    constraints TEXT NOT NULL,
    PRIMARY KEY (niche, constraints)
);
"""

# Prices of calls made before are unknown, but for models that cost nothing.
_PRICES = """
ALTER TABLE calls ADD COLUMN dollars REAL;
ALTER TABLE calls ADD COLUMN earlier_dollars REAL NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN earlier_unpriced INTEGER NOT NULL DEFAULT 0;
UPDATE calls SET dollars = 0 WHERE outcome = 'failed'
    OR model LIKE 'builtin:%' OR model LIKE 'local:%' OR model LIKE 'ollama:%';
"""

# Of a fork alone: the run that it goes on from.
_ORIGIN = """
CREATE TABLE origin (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    run TEXT NOT NULL,
    round INTEGER NOT NULL,
    settings TEXT NOT NULL,
    scores INTEGER NOT NULL,
    costs INTEGER NOT NULL
);
"""

# A run is known by its id, wherever its folder goes; what it was made with is kept beside what came
# of it. Runs of before are known by the moment they began.
_IDENTITY = """
ALTER TABLE run ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN release TEXT NOT NULL DEFAULT '';
UPDATE run SET id = printf('%016x', CAST(started * 1000000 AS INTEGER));
CREATE TABLE settings (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    body TEXT NOT NULL
);
CREATE INDEX events_by_kind ON events (kind, round);
"""

# What a program asked for waits here until a person has decided, once and for good.
_WAITING = """
CREATE TABLE waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    author TEXT NOT NULL,
    words TEXT NOT NULL,
    command TEXT NOT NULL
);
CREATE TABLE decided (
    waiting INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    author TEXT NOT NULL,
    decision TEXT NOT NULL
);
CREATE TRIGGER waiting_stays BEFORE UPDATE ON waiting BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER waiting_lasts BEFORE DELETE ON waiting BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER decided_stays BEFORE UPDATE ON decided BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER decided_lasts BEFORE DELETE ON decided BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""

# Of runs that minimise or limit memory or size alone; bytes.
_FOOTPRINTS = """
CREATE TABLE footprints (
    candidate TEXT PRIMARY KEY,
    memory INTEGER NOT NULL,
    size INTEGER NOT NULL
);
"""

# Costs that a device predicts far from all that was measured on it.
_EXTRAPOLATED = """
ALTER TABLE costs ADD COLUMN extrapolated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE measured ADD COLUMN extrapolated INTEGER NOT NULL DEFAULT 0;
"""

FIRST_WITH_SUMS = 8  # the format from which on every record has a checksum

MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _TRAININGS,
    _SPANS,
    _DIRECTIVES,
    _EXHAUSTED,
    _PRICES,
    _ORIGIN,
    _IDENTITY,
    _WAITING,
    _FOOTPRINTS,
    _EXTRAPOLATED,
)
