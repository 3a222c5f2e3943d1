//! The house rules, as tests; to use there is only the reading of `observability/README.md`, which the end-to-end tests hold against the running system.

pub mod catalogue;
