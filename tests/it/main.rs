//! Tests of the whole program that need no cluster.

mod cases;
mod cli;
mod coverage;
mod diff;
mod fields;
mod generate;
mod generated;
mod library;
mod program;
mod properties;
mod readme;
mod reasons;
mod schema;
mod sense;
mod tidy;
mod yaml;
