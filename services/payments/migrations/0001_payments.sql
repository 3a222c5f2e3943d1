-- Valid for SQLite and PostgreSQL: TEXT and BIGINT only, times in milliseconds since 1970.
CREATE TABLE payments (
    id            TEXT   NOT NULL PRIMARY KEY,
    -- UNIQUE is what charges an order once.
    order_id      TEXT   NOT NULL UNIQUE,
    -- Unknown when an order was called off before it was charged (status voided).
    user_id       TEXT,
    amount_cents  BIGINT NOT NULL,
    status        TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
);
