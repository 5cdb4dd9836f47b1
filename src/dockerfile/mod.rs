//! Dockerfiles for the source services of App Runner, which builds images itself.
//!
//! The commands and variables are those of `apprunner.yaml`
//! (<https://docs.aws.amazon.com/apprunner/latest/dg/config-file-ref.html>), or of the request if that has them.

mod configuration;
mod read;
mod request;
mod runtime;
mod write;

use crate::source::{SourceText, read_tree};

/// What was made of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The Dockerfile; none if there are errors.
    pub dockerfile: Option<String>,
    /// What there is to know about it, in the order of the lines.
    pub findings: Vec<Finding>,
}

/// What there is to know about a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The line of the text, from 1.
    pub line: usize,
    /// What it does to the Dockerfile.
    pub level: Level,
    /// The sentence, in lower case and without a period.
    pub text: String,
}

/// What a finding does to the Dockerfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// There is none.
    Error,
    /// It differs from what App Runner does.
    Warning,
    /// It is as it should be, and there is something left to do.
    Note,
}

impl Level {
    /// Returns the word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// How an image is built and run.
#[derive(Debug, Default)]
struct Plan {
    /// The image to begin with.
    base: String,
    /// The variables that only the commands of the build have.
    build_variables: Vec<(String, String)>,
    build: Vec<String>,
    /// The commands that come after the build and have the variables of the program.
    pre_run: Vec<String>,
    variables: Vec<(String, String)>,
    port: String,
    /// The name of the variable that has the port.
    port_variable: String,
    command: String,
}

/// Returns the Dockerfile of an `apprunner.yaml`, or of a document of a service with source code. `base` takes the place
/// of the image that belongs to the runtime.
#[must_use]
pub fn dockerfile(source: &SourceText, base: Option<&str>) -> Outcome {
    let mut reader = read::Reader::new(source);
    let plan = match read_tree(source) {
        Err((span, message)) => {
            reader.report(span, Level::Error, message);
            None
        }
        Ok(None) => {
            let start = crate::source::Span::new(0, 0);
            reader.report(start, Level::Error, "the document is empty");
            None
        }
        Ok(Some(tree)) => match request::configuration(&tree) {
            Some(service) => request::plan(service, base, &mut reader),
            None => configuration::plan(&tree, base, &mut reader),
        },
    };
    let mut findings = reader.into_findings();
    findings.sort();
    let is_wrong = findings.iter().any(|it| it.level == Level::Error);
    Outcome {
        dockerfile: plan.filter(|_| !is_wrong).map(|plan| write::text(&plan)),
        findings,
    }
}
