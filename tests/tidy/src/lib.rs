//! The house rules, as tests; there is nothing to use here.
