//! A real control plane with simulated nodes.

use std::{ops::Deref, time::Duration};

use anyhow::Result;
use tokio::sync::OnceCell;

use crate::{
    cluster::Cluster,
    start::{self, Running},
};

/// What a control plane can be started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many simulated nodes there are, in three zones in turn.
    pub nodes: usize,
    /// How often a HorizontalPodAutoscaler is looked at; Kubernetes' own default is 15 s.
    pub autoscaler_sync: Duration,
    /// More arguments of the API server, such as those of an audit log.
    pub apiserver_args: Vec<String>,
    /// The controllers that the controller manager runs, by their names; empty for all that are on by default. A
    /// namespace of this crate needs `serviceaccount-controller`, and pods need most of them.
    pub controllers: Vec<String>,
    /// The program of the API server: `kube-apiserver`, or `kube-apiserver-1.35` for the version before.
    pub apiserver: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 3,
            autoscaler_sync: Duration::from_secs(2),
            apiserver_args: Vec::new(),
            controllers: Vec::new(),
            apiserver: "kube-apiserver",
        }
    }
}

/// A running control plane: etcd, the API server with RBAC, the controller manager, the scheduler and simulated nodes.
///
/// Dropping it ends everything. So does the end of this process, however it comes.
#[derive(Debug)]
pub struct ControlPlane {
    running: Running,
}

impl ControlPlane {
    /// The names of the programs that a control plane runs.
    pub fn programs() -> Vec<&'static str> {
        start::programs()
    }

    /// The one that all tests of a test binary share, started by the first that asks.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// Starts one and waits until pods run on it.
    pub async fn start() -> Result<Self> {
        Self::start_with(&Options::default()).await
    }

    /// Starts one with options and waits until pods run on it.
    pub async fn start_with(options: &Options) -> Result<Self> {
        let running = start::start(options).await?;
        Ok(Self { running })
    }

    /// Ends the API server and starts another program in its place, with the same data and at the same address, as when a
    /// cluster is upgraded. Waits until it is ready.
    pub async fn replace_apiserver(&mut self, program: &'static str) -> Result<()> {
        self.running.replace_apiserver(program).await
    }
}

impl Deref for ControlPlane {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.running.cluster
    }
}
