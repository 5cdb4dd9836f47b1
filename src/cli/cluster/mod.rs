//! Commands that access a cluster with the user's own permissions.

mod diff;
mod documents;
mod headline;
mod images;
mod logs;
mod outlook;
mod renew;
mod scaling;
mod standing;
mod start;
mod state;
mod status;
mod stopped;
mod table;
mod target;
mod terminal;
mod view;

use std::{io::Write as _, path::PathBuf};

use clap::Args;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

pub(super) use self::{
    diff::{DiffOptions, run as diff},
    images::{ImagesOptions, run as images},
    logs::{LogsOptions, run as logs},
    outlook::{ScalingOptions, run as scaling},
    renew::{RenewOptions, run as renew},
    start::{RunOptions, run as start},
    status::{StatusOptions, run as status},
};
use super::{Error, values};

/// The cluster and namespace, with the options of `kubectl`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterOptions {
    /// The namespace [default: from the context]
    #[arg(long, short, value_parser = values::namespace)]
    namespace: Option<String>,
    /// The context of the kubeconfig file [default: its current context]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig file [default: KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<PathBuf>,
}

impl ClusterOptions {
    /// Returns a client and the namespace.
    async fn connect(&self) -> Result<(Client, String), Error> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let read = |kubeconfig: Result<Kubeconfig, KubeconfigError>| async {
            Config::from_custom_kubeconfig(kubeconfig?, &options).await
        };
        let config = match &self.kubeconfig {
            Some(path) => read(Kubeconfig::read_from(path)).await,
            None => match read(Kubeconfig::read()).await {
                // In a pod there is no kubeconfig file.
                Err(error) if self.context.is_none() => Config::incluster().map_err(|_| error),
                result => result,
            },
        };
        let config = config.map_err(|source| Error::Kubeconfig(Box::new(source)))?;
        let namespace = self.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(Error::request("connect"))?;
        Ok((client, namespace))
    }
}

/// Runs a command that talks to the cluster.
fn block_on<T>(command: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    runtime.block_on(command)
}

/// Writes to standard output.
fn show(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::writing("standard output"))
}

/// Writes a line to standard error.
fn say(text: &str) -> Result<(), Error> {
    let mut err = anstream::stderr().lock();
    writeln!(err, "{text}").map_err(Error::writing("standard error"))
}
