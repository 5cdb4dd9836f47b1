//! `ecs-operator convert`.

use std::{
    collections::{BTreeSet, HashSet},
    process::ExitCode,
};

use super::{Error, arguments::ConvertOptions, output::Output, report::Report};
use crate::{
    convert::{Converter, Denied},
    diagnostic::{
        Diagnostic, Message, Severity,
        render::{Finding, Place, one_line},
    },
    source::{Catalog, Content, Problem, SourceText, Span, Unit},
};

/// Converts unit by unit, so that memory does not grow with the number of objects.
pub(super) fn run(options: &ConvertOptions) -> Result<ExitCode, Error> {
    let settings = options.settings()?;
    let mut run = Run {
        denied: options.denied(),
        report: Report::new(options.output.diagnostics, options.output.verbose),
        verbose: options.output.verbose,
    };
    let mut converter = Converter::new(&settings, options.target(), run.denied.clone());
    let mut output = Output::new(options.output.output_dir.as_deref(), options.output.output)?;

    let mut problems = Vec::new();
    let fill = options.input.fill.iter().cloned().collect();
    let catalog = Catalog::read(&options.inputs, fill, &mut |problem| problems.push(problem));
    let documents = catalog.documents() + run.problems(&problems)?;
    for name in catalog.unused_names() {
        let name = name.to_owned();
        run.warn(&Message::SetUnused { name }, "--set")?;
    }
    let mut unnamed: BTreeSet<&str> = settings
        .environment_files
        .keys()
        .map(|arn| &**arn)
        .collect();
    let mut objects = 0;
    let mut explained = HashSet::new();
    for unit in catalog.into_units() {
        let unit = match unit {
            Ok(unit) => unit,
            Err(problem) => {
                run.problems(&[problem])?;
                continue;
            }
        };
        for arn in named_files(&unit) {
            unnamed.remove(arn);
        }
        if options.input.explain_input {
            explain(&unit, &mut explained, &mut run.report)?;
        }
        let conversion = converter.convert(&unit)?;
        run.findings(&unit, &conversion.diagnostics)?;
        objects += conversion.objects.len();
        for object in &conversion.objects {
            output.write(object)?;
        }
    }
    for arn in unnamed {
        let arn = arn.to_owned();
        run.warn(&Message::EnvironmentFileUnused { arn }, "--env-file")?;
    }
    let left = output.finish()?;
    if let Some(folder) = &options.output.output_dir
        && !left.is_empty()
    {
        let names = left.join(", ");
        run.warn(&Message::FilesLeft { names }, &folder.to_string_lossy())?;
    }
    run.report.summarize(documents, objects)?;
    Ok(ExitCode::from(u8::from(run.report.has_errors())))
}

/// The state of one run.
struct Run {
    denied: Denied,
    report: Report,
    verbose: bool,
}

impl Run {
    /// Prints the problems of texts. Returns how many documents the texts would have been.
    fn problems(&mut self, problems: &[Problem]) -> Result<usize, Error> {
        let mut documents = 0;
        for problem in problems {
            let reason = problem.message.reason();
            // Failures that AWS reported in a response, and an empty folder, are not documents.
            documents += usize::from(reason.severity() == Severity::Error);
            let mut finding = problem_finding(problem);
            finding.severity = self.denied.severity(reason);
            self.report.print(&finding)?;
        }
        Ok(documents)
    }

    /// Prints the diagnostics of a unit.
    fn findings(&mut self, unit: &Unit, diagnostics: &[Diagnostic]) -> Result<(), Error> {
        for diagnostic in diagnostics {
            let severity = self.denied.severity(diagnostic.reason());
            // Most documents have notes, and most users do not want them, so skip looking up their positions.
            if severity == Severity::Note && !self.verbose {
                continue;
            }
            let place = unit.point_at(diagnostic);
            let file = place.map_or_else(|| unit_file(unit), |(source, _)| source.name());
            let mut finding = Finding::new(diagnostic, file);
            finding.severity = severity;
            finding.place = place.map(|(source, span)| place_of(source, span));
            self.report.print(&finding)?;
        }
        Ok(())
    }

    /// Prints a warning about the run and not about a document.
    fn warn(&mut self, message: &Message, place: &str) -> Result<(), Error> {
        let mut finding = Finding::of_document(message, place);
        finding.severity = self.denied.severity(message.reason());
        self.report.print(&finding)
    }
}

/// Returns the environment files that the containers of a unit name.
fn named_files(unit: &Unit) -> impl Iterator<Item = &str> {
    let (definition, overrides) = match &unit.content {
        Content::Service(input) => (Some(&input.task_definition.request), None),
        Content::Task(input) => (
            Some(&input.task_definition.request),
            input.request.overrides.as_ref(),
        ),
        Content::Nothing => (None, None),
    };
    let containers = definition.map_or(&[][..], |request| &request.container_definitions);
    let overridden = overrides.map_or(&[][..], |overrides| &overrides.container_overrides);
    let files = containers
        .iter()
        .flat_map(|container| &container.environment_files)
        .chain(overridden.iter().flat_map(|it| &it.environment_files));
    files.filter_map(|file| file.value.as_deref())
}

fn unit_file(unit: &Unit) -> &str {
    unit.documents
        .first()
        .map_or("", |document| document.source().name())
}

fn place_of(source: &SourceText, span: Span) -> Place<'_> {
    let position = source.position(span.start);
    Place {
        text: source.text(),
        span: span.range(),
        line: position.line,
        column: position.column,
    }
}

fn problem_finding(problem: &Problem) -> Finding<'_> {
    let mut finding = Finding::of_document(&problem.message, problem.source.name());
    finding.place = problem.span.map(|span| place_of(&problem.source, span));
    finding
}

/// Prints how each document was recognized, once.
fn explain(
    unit: &Unit,
    explained: &mut HashSet<(String, usize)>,
    report: &mut Report,
) -> Result<(), Error> {
    for document in &unit.documents {
        let (source, span) = (document.source(), document.span());
        if explained.insert((source.name().to_owned(), span.start)) {
            let position = source.position(span.start);
            let form = document.form();
            report.say(&format!(
                "{}:{}:{}: taken for {}, because {}",
                one_line(source.name()),
                position.line,
                position.column,
                form.label,
                form.because
            ))?;
        }
    }
    Ok(())
}
