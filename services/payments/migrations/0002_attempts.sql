-- An order that was refused for a passing reason may be tried again under its own id. Each try has a
-- number and a payment of its own, so that what arrives late from an earlier one changes nothing.
CREATE TABLE payments_of_attempts (
    id            TEXT   NOT NULL PRIMARY KEY,
    order_id      TEXT   NOT NULL,
    attempt       BIGINT NOT NULL,
    -- Unknown when an order was called off before it was charged (status voided).
    user_id       TEXT,
    amount_cents  BIGINT NOT NULL,
    status        TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    UNIQUE (order_id, attempt)
);
INSERT INTO payments_of_attempts (id, order_id, attempt, user_id, amount_cents, status, created_at_ms, updated_at_ms)
    SELECT id, order_id, 1, user_id, amount_cents, status, created_at_ms, updated_at_ms FROM payments;
DROP TABLE payments;
ALTER TABLE payments_of_attempts RENAME TO payments;
-- The last line of defence: whatever its attempts, no order is charged twice.
CREATE UNIQUE INDEX payments_captured_once ON payments (order_id) WHERE status = 'captured';
