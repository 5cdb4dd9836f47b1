//! `ecs-operator convert`.

use std::{collections::HashSet, process::ExitCode};

use super::{Error, arguments::ConvertOptions, output::Output, report::Report};
use crate::{
    convert::Converter,
    diagnostic::{
        Severity,
        render::{Finding, Place, one_line},
    },
    source::{Catalog, Problem, SourceText, Span, Unit},
};

/// Converts unit by unit, so that memory does not grow with the objects.
pub(super) fn run(options: &ConvertOptions) -> Result<ExitCode, Error> {
    let settings = options.settings()?;
    let denied = options.denied();
    let mut converter = Converter::new(&settings, options.target(), denied.clone());
    let mut output = Output::new(options.output.output_dir.as_deref(), options.output.output)?;
    let mut report = Report::new(options.output.diagnostics, options.output.verbose);

    let mut problems = Vec::new();
    let fill = options.input.fill.iter().cloned().collect();
    let catalog = Catalog::read(&options.inputs, fill, &mut |problem| problems.push(problem));
    for problem in &problems {
        report.print(&problem_finding(problem))?;
    }
    let documents = catalog.documents() + problems.len();
    let mut objects = 0;
    let mut explained = HashSet::new();
    for unit in catalog.into_units() {
        let unit = match unit {
            Ok(unit) => unit,
            Err(problem) => {
                report.print(&problem_finding(&problem))?;
                continue;
            }
        };
        if options.input.explain_input {
            explain(&unit, &mut explained, &mut report)?;
        }
        let conversion = converter.convert(&unit)?;
        for diagnostic in &conversion.diagnostics {
            let severity = denied.severity(diagnostic.reason());
            // Most documents have notes, and most people don't ask for them: their place need not be looked up.
            if severity == Severity::Note && !options.output.verbose {
                continue;
            }
            let place = unit.point_at(diagnostic);
            let file = place.map_or_else(|| unit_file(&unit), |(source, _)| source.name());
            let mut finding = Finding::new(diagnostic, file);
            finding.severity = severity;
            finding.place = place.map(|(source, span)| place_of(source, span));
            report.print(&finding)?;
        }
        objects += conversion.objects.len();
        for object in &conversion.objects {
            output.write(object)?;
        }
    }
    output.finish()?;
    report.summarise(documents, objects)?;
    Ok(ExitCode::from(u8::from(report.has_errors())))
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

/// Says what each document was taken for, once.
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
