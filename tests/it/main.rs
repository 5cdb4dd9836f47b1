//! Tests of the whole program that need no cluster.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod cases;
mod cli;
mod coverage;
mod diff;
mod fields;
mod generated;
mod program;
mod readme;
mod schema;
mod tidy;
mod yaml;
