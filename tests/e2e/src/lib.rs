//! The real system, end to end: the tests are in `tests/e2e/`, one binary.
