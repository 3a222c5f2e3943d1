-- A new key is published before it signs, so that whoever verifies tokens knows it by then.
ALTER TABLE signing_keys ADD COLUMN signs_from_ms BIGINT NOT NULL DEFAULT 0;
