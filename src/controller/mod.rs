//! The running operator: watches, reconciles, writes.
//!
//! Each kind goes the same way: fetch what it needs out of the caches, validate, translate, apply what differs, prune
//! what is not wanted any more, report. Nothing is kept outside of the API server, so the operator can be killed between
//! any two requests.

mod apply;
mod backoff;
mod caches;
mod cluster;
mod context;
mod error;
mod events;
mod kind;
#[cfg(test)]
mod memory;
mod process;
mod queue;
mod refusal;
mod service;
mod status;
mod task;
mod task_definition;
mod volumes;
mod wanted;

pub use process::{Options, RunError, run};
