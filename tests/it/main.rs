//! Tests of the whole program that need no cluster.

mod cases;
mod diff;
mod program;
mod reasons;
mod schema;
mod yaml;
