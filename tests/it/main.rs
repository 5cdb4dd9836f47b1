//! Tests of the whole program that need no cluster.

mod cases;
mod fields;
mod diff;
mod generated;
mod program;
mod readme;
mod schema;
mod tidy;
mod yaml;
