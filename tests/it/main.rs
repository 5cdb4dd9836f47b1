//! Tests of the whole program that do not need a cluster.
#![allow(
    clippy::collapsible_match,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::or_fun_call,
    clippy::panic,
    clippy::pedantic,
    clippy::print_stdout,
    clippy::reversed_empty_ranges,
    clippy::unwrap_used,
    clippy::zero_sized_map_values,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod advice;
mod app_runner;
mod awslogs;
mod capacity_providers;
mod cases;
mod cli;
mod coverage;
mod diff;
mod dockerfile;
mod effects;
mod examples;
mod failure_modes;
mod fields;
mod generate;
mod generated;
mod hostile;
mod images;
mod layouts;
mod left_out;
mod library;
mod many;
mod program;
mod properties;
mod readme;
mod reason_pages;
mod reasons;
mod rows;
mod rules;
mod schedules;
mod schema;
mod sense;
mod simulate;
mod sources;
mod terraform;
mod tidy;
mod yaml;
