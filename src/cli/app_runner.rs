//! `ecs-operator apprunner`.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use super::Error;
use crate::{
    diagnostic::render::one_line,
    dockerfile::{Level, dockerfile},
    source::SourceText,
};

/// The name of the file in a repository.
const FILE: &str = "apprunner.yaml";

#[derive(Debug, Args)]
pub(super) struct AppRunnerOptions {
    #[command(subcommand)]
    command: AppRunnerCommand,
}

#[derive(Debug, Subcommand)]
enum AppRunnerCommand {
    /// Write a Dockerfile for a service that App Runner builds from source code
    Dockerfile(DockerfileOptions),
}

#[derive(Debug, Args)]
struct DockerfileOptions {
    /// An apprunner.yaml, a folder that has one, or the document of a service with CodeConfigurationValues
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The image to begin with, in place of the one that belongs to the runtime
    #[arg(long, value_name = "IMAGE", value_parser = image)]
    from: Option<String>,
}

/// Accepts what is one word of an instruction.
fn image(text: &str) -> Result<String, String> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if !text.is_empty() && text.chars().all(is_letter) && !text.starts_with('-') {
        Ok(text.to_owned())
    } else {
        Err("not the name of an image".to_owned())
    }
}

pub(super) fn run(options: &AppRunnerOptions) -> Result<ExitCode, Error> {
    let AppRunnerCommand::Dockerfile(options) = &options.command;
    let path = if options.path.is_dir() {
        options.path.join(FILE)
    } else {
        options.path.clone()
    };
    let outcome = dockerfile(&read(&path)?, options.from.as_deref());
    let mut errors = anstream::stderr();
    for finding in &outcome.findings {
        let (line, level) = (finding.line, finding.level.name());
        let text = format!("{}:{line}: {level}: {}", path.display(), finding.text);
        writeln!(errors, "{}", one_line(&text)).map_err(Error::writing("standard error"))?;
    }
    let Some(text) = outcome.dockerfile else {
        debug_assert!(outcome.findings.iter().any(|it| it.level == Level::Error));
        return Ok(ExitCode::FAILURE);
    };
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(Error::writing("standard output"))?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<SourceText, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(SourceText::new(path.display().to_string(), &text))
}
