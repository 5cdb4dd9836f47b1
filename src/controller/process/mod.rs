//! The process around the reconciles: the client, the lease, the watches, the controllers, and the end of all.

mod client;
mod controllers;
pub(super) mod discovery;
pub(super) mod fence;
mod leader_election;
mod measure;
pub(super) mod progress;
mod run;
mod watches;

#[cfg(test)]
pub(super) use run::Operator;
pub use run::{Options, RunError, run};
