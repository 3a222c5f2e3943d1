//! upstream
pub mod stream;
