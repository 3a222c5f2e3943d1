//! JSON calls.
