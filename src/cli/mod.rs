//! The command line: what was typed, what it means, and the exit status.

mod arguments;
mod controller;
mod convert;
mod explain;
mod output;
mod report;
mod settings;
mod values;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser as _;

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
    /// An object could not be printed.
    #[error(transparent)]
    Print(#[from] print::Error),
}

impl Error {
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
    let arguments = match Arguments::try_parse() {
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
