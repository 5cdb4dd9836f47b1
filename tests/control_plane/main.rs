//! The operator against a real API server, controller manager and scheduler, with simulated nodes.
//!
//! Each test has a namespace of its own; all share one control plane and one operator, which is the real program with the
//! rights that the chart gives it.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::pedantic,
    clippy::print_stderr,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod bed;
mod operator;
mod service;
mod shared;
mod task;
mod task_definition;
