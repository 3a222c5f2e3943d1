-- Valid for SQLite and PostgreSQL: TEXT and BIGINT only, times in milliseconds since 1970.
CREATE TABLE items (
    sku           TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL,
    price_cents   BIGINT NOT NULL,
    -- What is in the house; of it, `reserved` belongs to orders that are not confirmed yet.
    stock         BIGINT NOT NULL,
    reserved      BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    -- The last line of defence: a bug ends in an error, never in an oversold item.
    CHECK (reserved >= 0 AND stock >= reserved)
);

-- One for each order, under the order's id. A row without lines says that the order was
-- released before it ever reserved: whatever arrives late is refused.
CREATE TABLE reservations (
    order_id      TEXT   NOT NULL PRIMARY KEY,
    status        TEXT   NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL
);
-- Finds what ran out.
CREATE INDEX reservations_due ON reservations (status, expires_at_ms);

CREATE TABLE reservation_lines (
    order_id         TEXT   NOT NULL,
    sku              TEXT   NOT NULL,
    quantity         BIGINT NOT NULL,
    -- The price of the moment in which it was reserved is the price that is charged.
    unit_price_cents BIGINT NOT NULL,
    PRIMARY KEY (order_id, sku)
);

-- What happens once in a store's life.
CREATE TABLE once (
    deed TEXT NOT NULL PRIMARY KEY
);
