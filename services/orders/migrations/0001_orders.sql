-- Valid for SQLite and PostgreSQL: TEXT and BIGINT only, times in milliseconds since 1970.
CREATE TABLE orders (
    id            TEXT   NOT NULL PRIMARY KEY,
    user_id       TEXT   NOT NULL,
    status        TEXT   NOT NULL,
    -- Why it was refused; stays while it is undone, tells `rejected` from `cancelled`.
    reason        TEXT,
    -- JSON. Lines are read and written with their order only, never on their own.
    items         TEXT   NOT NULL,
    total_cents   BIGINT NOT NULL,
    payment_id    TEXT,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
);
-- The orders of a user, newest first.
CREATE INDEX orders_user ON orders (user_id, id);
-- Statistics without reading the rows.
CREATE INDEX orders_status ON orders (status, total_cents);

-- The answer to each key, or who works on it until when.
CREATE TABLE idempotency_keys (
    subject          TEXT   NOT NULL,
    key              TEXT   NOT NULL,
    body_hash        TEXT   NOT NULL,
    order_id         TEXT   NOT NULL,
    claimed_until_ms BIGINT NOT NULL,
    answer           TEXT,
    created_at_ms    BIGINT NOT NULL,
    PRIMARY KEY (subject, key)
);
-- Finds what is old enough to forget.
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at_ms);
