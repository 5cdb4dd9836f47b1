//! What runs goes on when the operator, its settings, Kubernetes or an add-on change below it.
//!
//! A fleet of services and tasks in every state that one may be in ([`fleet`]) is looked at before and after each change
//! ([`seen`]), on a real control plane with simulated nodes. The operator that is upgraded is that of an older commit,
//! `tests/upgrade/previous`: `cargo xtask test upgrade` builds it.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::pedantic,
    clippy::print_stderr,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and uses of the common support what it needs"
)]

mod addons;
mod fleet;
mod names;
mod operators;
mod scaling;
mod seen;
mod stage;

#[path = "../support/mod.rs"]
mod support;
