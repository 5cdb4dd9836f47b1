//! The command line: arguments, their meaning, and the exit status.

mod app_runner;
mod arguments;
mod cluster;
mod controller;
mod convert;
mod explain;
mod folder;
mod image_scan;
mod layout;
mod named;
mod output;
mod report;
mod settings;
mod simulate;
mod template_parameters;
mod values;

use std::{
    ffi::OsString,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory as _, FromArgMatches as _};
use kube::{config::KubeconfigError, runtime::watcher};

use self::arguments::{Arguments, Command};
use crate::{diagnostic::render::one_line, print};

/// The exit status for wrong usage.
const USAGE: u8 = 2;

/// An error that ends the program early.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The reader of our output is gone, which is not an error.
    #[error("the output was closed")]
    Closed,
    /// Something could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Files of somebody else have the names of files to write.
    #[error(
        "nothing was written, because ecs-operator convert did not write these files: {files}; move or delete them, or choose another \
         folder"
    )]
    NotOurs {
        /// The paths.
        files: String,
    },
    /// A layout is not one of JSON.
    #[error("--layout kustomize and --layout helm write YAML: leave --output json out")]
    LayoutIsYaml,
    /// A layout without overlays.
    #[error("--overlay requires --layout kustomize")]
    OverlayWithoutKustomize,
    /// Two workloads share a value of a chart.
    #[error(
        "nothing was written, because two workloads need different defaults for the value {name}: rename one of them, or use \
         --layout kustomize"
    )]
    ValueTwice {
        /// The value.
        name: String,
    },
    /// A file of a template's parameters is none.
    #[error("{} has no parameters: {why}", path.display())]
    ParametersFile {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An environment file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The log cannot be started.
    #[error("invalid --log-level: {0}")]
    Log(String),
    /// The image has no certificates of authorities.
    #[error("Prometheus with https needs --prometheus-ca-file")]
    PrometheusAuthorities,
    /// Nothing says where the metrics of CloudWatch are.
    #[error("--cloud-watch-metric requires --cloud-watch-region or --aws-region")]
    CloudWatchRegion,
    /// A metric would have two values.
    #[error(
        "{metric} has two sources: name it only once in --metric-query, --external-metric and --cloud-watch-metric"
    )]
    TwoSources {
        /// The metric.
        metric: String,
    },
    /// A query would show metrics of one tenant to another.
    #[error(
        "the query or external metric for {metric} selects by a dimension or a name of a service, which tenants choose, and not by their \
         namespace: select by <<namespace>> too, or set --tenancy single"
    )]
    UnboundQuery {
        /// The metric.
        metric: String,
    },
    /// The operating system denies what a long-running program needs.
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
    /// There is no kubeconfig file, or it cannot be used.
    #[error("cannot find the cluster: {0} (set KUBECONFIG, or --kubeconfig and --context)")]
    Kubeconfig(#[source] Box<KubeconfigError>),
    /// The API server did not carry out a request.
    #[error("cannot {what}: {}", said(source))]
    Request {
        /// The attempted action.
        what: &'static str,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// A watch failed.
    #[error("cannot follow the changes: {0}")]
    Watch(#[source] Box<watcher::Error>),
    /// No service or task has this name.
    #[error(
        "there is no {name} in the namespace {namespace}; services: {services}; tasks: {tasks}"
    )]
    NotThere {
        /// The requested name.
        name: String,
        /// The namespace.
        namespace: String,
        /// The existing services.
        services: String,
        /// The existing tasks.
        tasks: String,
    },
    /// No schedule has this name.
    #[error("there is no EcsSchedule {name} in the namespace {namespace}; there are: {there}")]
    NoSuchSchedule {
        /// The requested name.
        name: String,
        /// The namespace.
        namespace: String,
        /// The existing schedules.
        there: String,
    },
    /// The spec of a schedule is not valid.
    #[error("the EcsSchedule {name} is rejected: {message}")]
    ScheduleRejected {
        /// Its name.
        name: String,
        /// Everything that is wrong with it.
        message: String,
    },
    /// No container has this name.
    #[error("there is no container {name}; available containers: {there}")]
    NoSuchContainer {
        /// The requested name.
        name: String,
        /// The existing containers.
        there: String,
    },
    /// What an apply would change could not be found out.
    #[error("{0}")]
    Preview(String),
    /// What becomes of images could not be found out.
    #[error("{0}")]
    Images(String),
    /// There is nothing to simulate.
    #[error("{0}")]
    Simulation(String),
    /// An object could not be printed.
    #[error(transparent)]
    Print(#[from] print::Error),
}

/// Returns the part of an error that a person needs: for a rejection its message, which contains everything else.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

impl Error {
    fn request(what: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Request {
            what,
            source: Box::new(source),
        }
    }

    fn writing(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Write {
                path: path.into(),
                source,
            },
        }
    }
}

/// Runs the program with the arguments of the process.
///
/// The exit status is 0 on success, 1 if a document was rejected (the objects that do not need it are still written), and 2
/// for wrong usage. That of `diff` is 0 without a change, 1 with changes, and 2 for everything else; that of `images` is 1 if
/// an image is gone or will soon be, and 2 if that is not known.
#[must_use]
pub fn main() -> ExitCode {
    let mut command = Arguments::command();
    if is_plugin(std::env::args_os().next()) {
        command = command.bin_name("kubectl ecs");
    }
    let parsed = command
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are printed to standard output; it does not matter if the reader is gone.
            let _closed = error.print();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let result = match &arguments.command {
        Command::Convert(options) => convert::run(options),
        Command::Controller(options) => controller::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Status(options) => cluster::status(options),
        Command::Logs(options) => cluster::logs(options),
        Command::Diff(options) => cluster::diff(options),
        Command::Images(options) => cluster::images(options),
        Command::Scaling(options) => cluster::scaling(options),
        Command::Simulate(options) => simulate::run(options),
        Command::Renew(options) => cluster::renew(options),
        Command::Apprunner(options) => app_runner::run(options),
        Command::Run(options) => cluster::start(options),
    };
    match result {
        Ok(code) => code,
        Err(Error::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is gone, there is nowhere left to report it.
            let _closed = writeln!(
                anstream::stderr(),
                "error: {}",
                one_line(&error.to_string())
            );
            ExitCode::from(USAGE)
        }
    }
}

/// Whether the program was called as a `kubectl` plugin, according to its name
/// (<https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/>).
fn is_plugin(called: Option<OsString>) -> bool {
    let name = called.as_ref().map(Path::new).and_then(Path::file_stem);
    name.is_some_and(|name| name == "kubectl-ecs")
}
