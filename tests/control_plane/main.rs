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
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and uses of the common support what it needs"
)]

mod app_runner;
mod auto_deployments;
mod aws;
mod built_services;
mod buses;
mod capacity;
mod cloud_watch;
mod cluster;
mod contained;
mod cron_jobs;
mod dead_letters;
mod deployments;
mod diff;
mod drift;
mod external_metrics;
mod failures;
mod gitops;
mod hostile;
mod images;
mod karpenter;
mod kept;
mod node_pools;
mod operator;
mod pipes;
mod policies;
mod prometheus;
mod proxy;
mod pull_secrets;
mod rights;
mod rules;
mod scans;
mod scheduled;
mod schedules;
mod service;
mod shared;
mod shared_names;
mod spared;
mod split;
mod syncs;
mod task;
mod task_definition;
mod tenancy;
mod trouble;
mod view;
mod waiting_pipes;
mod warnings;

#[path = "../support/mod.rs"]
mod support;

use ecs_operator_testbed::ControlPlane;
use tokio::sync::OnceCell;

use self::support::{Bed, Operator, install};

/// The control plane that all tests share, and its operator.
async fn shared() -> &'static (Operator, &'static ControlPlane) {
    static SHARED: OnceCell<(Operator, &'static ControlPlane)> = OnceCell::const_new();
    let start = async || -> anyhow::Result<_> {
        let plane = ControlPlane::shared().await?;
        install(plane).await?;
        Ok((Operator::start(plane, "operator", &[]).await?, plane))
    };
    SHARED.get_or_try_init(start).await.unwrap()
}

/// A fresh namespace of the shared control plane.
async fn bed(prefix: &str) -> Bed {
    let (_, plane) = shared().await;
    Bed::new(&plane.kubeconfig(), prefix).await
}
