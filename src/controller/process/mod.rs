//! The process around the reconciles: the client, the lease, the watches, the controllers and the shutdown.

mod client;
pub(super) mod controllers;
pub(super) mod discovery;
pub(super) mod fence;
mod leader_election;
mod measure;
pub(super) mod progress;
mod run;
mod watches;

pub use run::{Options, RunError, run};
