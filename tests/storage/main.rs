//! Tasks on two real nodes share an EFS file system by NFS, whatever becomes of tasks, nodes and the operator.
//!
//! Apart from the other tests with real pods, since it drains and loses a node. `E2E_PROGRAM` names the program in the
//! operator's image.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::pedantic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and uses of the common support what it needs"
)]

mod nodes;
mod seen;
mod shared;

#[path = "../e2e/container.rs"]
mod container;
#[path = "../support/mod.rs"]
mod support;
