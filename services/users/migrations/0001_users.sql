-- Valid for SQLite and PostgreSQL: TEXT and BIGINT only, times in milliseconds since 1970.
CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL,
    email         TEXT   NOT NULL UNIQUE,
    role          TEXT   NOT NULL,
    password_hash TEXT,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
);
-- Statistics by role without reading the rows.
CREATE INDEX users_role ON users (role);

-- The newest generation signs, all of them are published.
-- UNIQUE lets two instances that start together agree on one key.
CREATE TABLE signing_keys (
    generation    BIGINT NOT NULL UNIQUE,
    kid           TEXT   NOT NULL PRIMARY KEY,
    secret        TEXT   NOT NULL,
    public        TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL
);

-- What happens once in a store's life.
CREATE TABLE once (
    deed TEXT NOT NULL PRIMARY KEY
);
