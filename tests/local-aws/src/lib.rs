//! A small local AWS with several accounts, for tests.
