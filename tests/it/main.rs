//! Tests of the whole program that need no cluster.

mod cases;
mod cli;
mod coverage;
mod diff;
mod generate;
mod library;
mod program;
mod properties;
mod schema;
mod sense;
mod yaml;
