-- An order that was refused for a passing reason may be tried again under its own id. Each try has a
-- number, so that what arrives late from an earlier one changes nothing.
ALTER TABLE reservations ADD COLUMN attempt BIGINT NOT NULL DEFAULT 1;
