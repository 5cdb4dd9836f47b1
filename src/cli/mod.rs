//! The command line: what was typed, what it means, and the exit status.

mod arguments;
mod cluster;
mod controller;
mod convert;
mod explain;
mod output;
mod report;
mod settings;
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

/// What was typed cannot be done.
const USAGE: u8 = 2;

/// Why the program stopped before its end.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The reader of our output is gone, which is no error.
    #[error("the output was closed")]
    Closed,
    /// Something could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An environment file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The log cannot be started.
    #[error("invalid --log-level: {0}")]
    Log(String),
    /// The operating system refuses what a long-running program needs.
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
    /// There is no kubeconfig file, or it cannot be used.
    #[error("cannot find the cluster: {0} (set KUBECONFIG, or --kubeconfig and --context)")]
    Kubeconfig(#[source] Box<KubeconfigError>),
    /// The API server did not do what was asked.
    #[error("cannot {what}: {}", said(source))]
    Request {
        /// What was asked.
        what: &'static str,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Changes could not be followed.
    #[error("cannot follow the changes: {0}")]
    Watch(#[source] Box<watcher::Error>),
    /// There is no service or task of this name.
    #[error(
        "there is no {name} in the namespace {namespace}; services: {services}; tasks: {tasks}"
    )]
    NotThere {
        /// The name.
        name: String,
        /// Where it was looked for.
        namespace: String,
        /// Which services are there.
        services: String,
        /// Which tasks are there.
        tasks: String,
    },
    /// No container has this name.
    #[error("there is no container {name}; there are {there}")]
    NoSuchContainer {
        /// The name.
        name: String,
        /// Which ones there are.
        there: String,
    },
    /// An object could not be printed.
    #[error(transparent)]
    Print(#[from] print::Error),
}

/// What a person needs of an error: of a refusal its message, which has everything else in it.
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
/// The exit status is 0 if all went well, 1 if a document was rejected (all others are still written), and 2 for
/// wrong usage.
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
            // Help and version are printed to standard output; a reader that is gone does not matter.
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
        Command::Renew(options) => cluster::renew(options),
    };
    match result {
        Ok(code) => code,
        Err(Error::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere left to report that standard error is gone.
            let _closed = writeln!(
                anstream::stderr(),
                "error: {}",
                one_line(&error.to_string())
            );
            ExitCode::from(USAGE)
        }
    }
}

/// Whether the program was called as the plugin of `kubectl` that its name makes it
/// (<https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/>).
fn is_plugin(called: Option<OsString>) -> bool {
    let name = called.as_ref().map(Path::new).and_then(Path::file_stem);
    name.is_some_and(|name| name == "kubectl-ecs")
}
