//! Tests of patterns.

mod cases;
mod effort;
mod errors;
mod properties;
