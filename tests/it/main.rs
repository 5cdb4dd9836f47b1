//! Tests of the whole program that need no cluster.

mod cases;
mod cli;
mod coverage;
mod diff;
mod fields;
mod generated;
mod program;
mod readme;
mod reasons;
mod schema;
mod tidy;
mod yaml;
