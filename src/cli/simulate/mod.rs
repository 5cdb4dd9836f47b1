//! `ecs-operator simulate scaling`: plays the scaling of a service over a load, without a cluster.

mod load;
mod plot;
mod text;

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Subcommand};
use k8s_openapi::jiff::Timestamp;

use self::{load::loads, plot::svg, text::text};
use super::{Error, settings::SettingsOptions};
use crate::{
    convert::{Denied, Drafter, Target},
    decide::scaling::simulation::{Play, play},
    diagnostic::{Diagnostics, Severity},
    settings::{Mode, Settings},
    source::{Catalog, Content, Fill, texts},
    translate::{autoscaler_windows, keeps_a_task},
    validate::{AutoScaling, Scheduling, validate_service},
};

#[derive(Debug, Args)]
pub(super) struct SimulateOptions {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print how many tasks a service has over time, scaled by its policies as ECS runs them and by its autoscaler
    Scaling(Box<ScalingOptions>),
}

#[derive(Debug, Args)]
struct ScalingOptions {
    /// The documents of one service: files, folders, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// A CSV file with minutes and loads: what one task alone would have as its metric, or the metric itself if tasks do not share it
    #[arg(long, value_name = "FILE")]
    load: PathBuf,
    /// How many tasks there are at first [default: desiredCount]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32))]
    tasks: Option<u32>,
    /// How many seconds a task takes until it serves
    #[arg(long, value_name = "NUMBER", default_value_t = 60)]
    start_seconds: u16,
    /// When the first minute begins, for scheduled actions
    #[arg(long, value_name = "TIME", default_value = "2026-01-01T00:00:00Z")]
    from: Timestamp,
    /// Write a plot into this SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsOptions,
}

/// Plays the scaling, and prints each change.
pub(super) fn run(options: &SimulateOptions) -> Result<ExitCode, Error> {
    let What::Scaling(options) = &options.what;
    let settings = Settings {
        mode: Mode::Controller,
        ..options.settings.settings()
    };
    let (scaling, desired) = scaling(&options.inputs, &settings)?;
    let loads = loads(&options.load, &scaling)?;
    let minutes = play(Play {
        scaling: &scaling,
        loads: &loads,
        tasks: options.tasks.map_or(desired, i64::from),
        start_seconds: options.start_seconds.into(),
        from: options.from,
        windows: autoscaler_windows(&scaling),
        keeps_a_task: keeps_a_task(&scaling),
    });
    if let Some(path) = &options.svg {
        fs::write(path, svg(&minutes)).map_err(Error::writing(path))?;
    }
    let mut output = io::stdout().lock();
    output
        .write_all(text(&minutes, &scaling).as_bytes())
        .and_then(|()| output.flush())
        .map_err(Error::writing("standard output"))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the scaling of the only service that is given, and how many tasks it has at first.
fn scaling(inputs: &[PathBuf], settings: &Settings) -> Result<(AutoScaling, i64), Error> {
    let mut problems = Vec::new();
    let found = texts(inputs, &mut |problem| {
        problems.push(problem);
    });
    let catalog = Catalog::of_texts(found, Fill::default(), &mut |problem| {
        problems.push(problem);
    });
    let is_error = |severity: Severity| severity == Severity::Error;
    let mut problems = problems.iter();
    if let Some(problem) = problems.find(|it| is_error(it.message.reason().severity())) {
        let text = format!("{}: {}", problem.source.name(), problem.message);
        return Err(Error::Simulation(text));
    }
    let mut services = Vec::new();
    for unit in catalog.into_units() {
        let unit = unit.map_err(|problem| Error::Simulation(problem.message.to_string()))?;
        let draft = Drafter::new(settings, Target::Resources, Denied::Nothing).draft(&unit)?;
        let findings = draft.diagnostics();
        let error = findings.iter().find(|it| is_error(it.severity()));
        if let Some(finding) = error {
            let document = unit.document_of(&finding.path);
            let file =
                document.map_or_else(|| unit.file(), |(document, _)| document.source().name());
            let text = format!("{file}: {}: {}", finding.path, finding.message);
            return Err(Error::Simulation(text));
        }
        // What is wrong with annotations is among the findings.
        let settings = unit.settings(settings, &mut Diagnostics::new());
        if let Content::Service(input) = &unit.content
            && let Ok(service) = validate_service(input, &settings)
        {
            services.push(service);
        }
    }
    let [service] = services.as_slice() else {
        let text = format!(
            "give the documents of one service: the input has {}",
            services.len()
        );
        return Err(Error::Simulation(text));
    };
    let Scheduling::Replica { desired_count } = service.scheduling else {
        return Err(Error::Simulation(
            "a DAEMON service is not scaled".to_owned(),
        ));
    };
    match &service.auto_scaling {
        Some(scaling) => Ok((scaling.clone(), desired_count)),
        None => Err(Error::Simulation("the service has no scaling".to_owned())),
    }
}
