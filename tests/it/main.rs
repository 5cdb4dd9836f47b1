//! Tests of the whole program that need no cluster.

mod cases;
mod cli;
mod coverage;
mod diff;
mod program;
mod schema;
mod yaml;
