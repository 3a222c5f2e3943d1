-- Valid for SQLite and PostgreSQL: TEXT and BIGINT only.
CREATE TABLE items (
    sku   TEXT   NOT NULL PRIMARY KEY,
    name  TEXT   NOT NULL,
    -- How popular it is: higher is more.
    score BIGINT NOT NULL
);
CREATE INDEX items_score ON items (score);

-- Who ordered `sku` may like `goes_with`.
CREATE TABLE companions (
    sku       TEXT   NOT NULL,
    goes_with TEXT   NOT NULL,
    weight    BIGINT NOT NULL,
    PRIMARY KEY (sku, goes_with)
);

-- What happens once in a store's life.
CREATE TABLE once (
    deed TEXT NOT NULL PRIMARY KEY
);
