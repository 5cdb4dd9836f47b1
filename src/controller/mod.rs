//! The running operator: watches, reconciles, writes.
//!
//! Each kind goes the same way: fetch what it needs out of the caches, validate, translate, apply what differs, prune
//! what is not wanted any more, report. Nothing is kept outside of the API server, so the operator can be killed between
//! any two requests.

mod apply;
mod backoff;
mod catch_up;
mod child;
mod child_kind;
mod children;
mod client;
mod cluster;
mod context;
mod controllers;
mod definition;
mod discovery;
mod error;
mod events;
mod fence;
mod leader_election;
mod lenient;
mod measure;
mod owned_fields;
mod owner;
mod pods;
mod progress;
mod references;
mod refusal;
mod released;
mod reported;
mod revisions;
mod run;
mod service;
mod status;
mod task;
mod task_definition;
mod watch;
mod watches;

pub use run::{Options, RunError, run};
