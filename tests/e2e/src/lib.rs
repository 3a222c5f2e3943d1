//! The real system, end to end: the tests are in `tests/e2e/`, what they stand on is the crate `stack`.
