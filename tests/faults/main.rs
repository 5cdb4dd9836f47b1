//! The operator while something goes wrong: killed between any two requests, fed errors and old events, it ends where it
//! ends undisturbed.
//!
//! `cargo xtask faults` runs all of it, `cargo xtask test faults` a part. Each run has a namespace of the one control
//! plane, an operator and a proxy of its own.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::pedantic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and uses of the common support what it needs"
)]

mod campaign;
mod injection;
mod mode;
mod normal;
mod observe;
mod operators;
mod report;
mod request;
mod scenario;
mod trial;

#[path = "../support/mod.rs"]
mod support;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes to hours: cargo xtask faults"]
async fn every_end_is_the_same() {
    let options = campaign::Options::from_environment().unwrap();
    let report = campaign::run(&options).await.unwrap();
    println!("{report}");
    assert!(report.is_good(), "there are ends that are not the same");
}
