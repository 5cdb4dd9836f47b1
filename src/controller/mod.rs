//! The running operator: watches, reconciles, writes.
//!
//! Each kind goes the same way: fetch what it needs from the caches, validate, translate, apply what differs, prune
//! what is no longer wanted, report. All state is kept in the API server, so the operator can be killed between any two
//! requests.

mod app_runner;
mod apply;
mod aws;
mod backoff;
mod caches;
mod capacity_provider;
mod cluster;
mod context;
mod dead_letters;
mod error;
mod events;
mod kind;
#[cfg(test)]
mod memory;
mod permitted;
mod pipe;
mod preview;
mod process;
mod queue;
mod readings;
mod refusal;
mod registries;
mod rule;
mod schedule;
mod service;
mod sqs;
mod started_task;
mod status;
mod task;
mod task_definition;
mod trial;
mod volumes;
mod wanted;

pub use preview::{
    Change, ObjectChange, Operator, Preview, PreviewError, Replacement, Snapshot,
    is_app_runner_service, is_known, is_namespace, is_of_cluster, is_starter, preview, read_only,
};
pub use process::{Options, RunError, run};
pub use readings::{CloudWatchOptions, PrometheusOptions};
pub use registries::{ListedRegistry, RegistryOptions};
pub use schedule::task_now;
pub use sqs::SqsOptions;
