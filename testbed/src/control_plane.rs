//! A real control plane with simulated nodes.

use std::{ops::Deref, time::Duration};

use anyhow::Result;
use tokio::sync::OnceCell;

use crate::{
    cluster::Cluster,
    start::{self, Running},
};

/// The options of a control plane.
#[derive(Clone, Debug)]
pub struct Options {
    /// The number of simulated nodes, distributed over three zones.
    pub nodes: usize,
    /// The interval at which HorizontalPodAutoscalers are evaluated; the default of Kubernetes is 15 s.
    pub autoscaler_sync: Duration,
    /// Additional arguments of the API server, such as those of an audit log.
    pub apiserver_args: Vec<String>,
    /// The controllers that the controller manager runs, by their names; empty for those that are enabled by default. A
    /// namespace of this crate requires `serviceaccount-controller`, and pods require most of them.
    pub controllers: Vec<String>,
    /// The program of the API server: `kube-apiserver`, or `kube-apiserver-1.35` for the previous version.
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
/// Everything ends when it is dropped, or when this process ends in any way.
#[derive(Debug)]
pub struct ControlPlane {
    running: Running,
}

impl ControlPlane {
    /// Returns the names of the programs that a control plane runs.
    pub fn programs() -> Vec<&'static str> {
        start::programs()
    }

    /// Returns the control plane that all tests of a test binary share, and starts it at the first call.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// Starts a control plane and waits until it can run pods.
    pub async fn start() -> Result<Self> {
        Self::start_with(&Options::default()).await
    }

    /// Starts a control plane with options and waits until it can run pods.
    pub async fn start_with(options: &Options) -> Result<Self> {
        let running = start::start(options).await?;
        Ok(Self { running })
    }

    /// Stops the API server and starts another program in its place, with the same data and at the same address, as in
    /// a cluster upgrade. Waits until it is ready.
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
