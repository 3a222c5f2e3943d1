-- Why it was refused, in the words that the client got: whoever asks again with the key gets them again.
ALTER TABLE orders ADD COLUMN detail TEXT;
-- Which try this is. Inventory and payments know it too, so that what arrives late from an earlier one changes nothing.
ALTER TABLE orders ADD COLUMN attempt BIGINT NOT NULL DEFAULT 1;
-- Who works on it; empty: nobody. Whoever finds another word here than its own has lost the order.
ALTER TABLE orders ADD COLUMN claimed_by TEXT NOT NULL DEFAULT '';
-- While somebody works on it: when that claim runs out. Otherwise: when the reconciler looks at it next.
ALTER TABLE orders ADD COLUMN due_at_ms BIGINT NOT NULL DEFAULT 0;
-- How often in a row the reconciler got nowhere.
ALTER TABLE orders ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
-- What is not settled, the longest due first. Partial: settled orders cost nothing here.
CREATE INDEX orders_open ON orders (due_at_ms)
    WHERE status IN ('accepted', 'pending_inventory_check', 'cancelling');

-- The answer to a key is its order, as it stands; who works on it is said there.
ALTER TABLE idempotency_keys DROP COLUMN answer;
ALTER TABLE idempotency_keys DROP COLUMN claimed_until_ms;

-- What inventory said last, for the time when it says nothing.
CREATE TABLE known_stock (
    sku         TEXT   NOT NULL PRIMARY KEY,
    price_cents BIGINT NOT NULL,
    available   BIGINT NOT NULL,
    -- Pieces of orders that are `pending_inventory_check`; each of them is counted once, whoever accepted it.
    pending     BIGINT NOT NULL DEFAULT 0
);
-- One row: when all of it was last heard.
CREATE TABLE known_stock_seen (
    id    BIGINT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL
);
