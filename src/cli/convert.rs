//! `ecs-operator convert`.

use std::{
    collections::{BTreeMap, HashSet},
    mem,
    path::Path,
    process::ExitCode,
};

use super::{
    Error,
    arguments::{ConvertOptions, Format},
    output::{Output, Printed},
    report::{Rendered, Renderer, Report},
};
use crate::{
    convert::{Claims, Denied, Drafter, Given, Settled},
    diagnostic::{
        Diagnostic, Message, Reason, Severity,
        render::{Finding, Place, one_line},
    },
    source::{Catalog, Content, Problem, SourceText, Span, Unit},
};

const ENV_FILE: &str = "--env-file";
const FIRELENS_CONFIG: &str = "--firelens-config";

/// Converts unit by unit, so that memory does not grow with the number of objects.
pub(super) fn run(options: &ConvertOptions) -> Result<ExitCode, Error> {
    let settings = options.settings()?;
    let findings = Findings {
        denied: options.denied(),
        renderer: Renderer::new(options.output.diagnostics, options.output.verbose),
    };
    let environment = settings.environment_files.keys();
    let firelens = settings.firelens_files.keys();
    let files = environment
        .map(|arn| (&**arn, ENV_FILE))
        .chain(firelens.map(|arn| (&**arn, FIRELENS_CONFIG)));
    let output = Output::new(options.output.output_dir.as_deref(), options.output.output)?;
    let mut problems = Vec::new();
    let fill = options.input.fill.iter().cloned().collect();
    let folder = options.output.output_dir.as_deref();
    let catalog = Catalog::read(&options.inputs, folder, fill, &mut |problem| {
        problems.push(problem);
    });
    let worker = Worker {
        catalog: &catalog,
        drafter: Drafter::new(&settings, options.target(), findings.denied.clone()),
        findings: &findings,
        format: options.output.output,
        explains: options.input.explain_input,
    };
    let mut run = Run {
        worker: &worker,
        report: Report::new(options.output.diagnostics),
        output,
        given: Given::default(),
        objects: 0,
        explained: HashSet::new(),
        unnamed_files: files.collect(),
    };
    let documents = catalog.documents() + run.problems(&problems)?;
    for name in catalog.unused_names() {
        let name = name.to_owned();
        run.warn(&Message::SetUnused { name }, "--set")?;
    }
    catalog.for_each_unit(
        |number, unit| worker.work(number, unit),
        |worked| run.take(worked?),
    )?;
    run.finish(folder, documents)
}

/// The state of one run.
struct Run<'a> {
    worker: &'a Worker<'a>,
    report: Report,
    output: Output,
    given: Given,
    /// How many objects were written.
    objects: usize,
    /// The documents of which it was printed how they were recognized, by file and position.
    explained: HashSet<(String, usize)>,
    /// The files in S3 that no container has named yet, with the options that gave them.
    unnamed_files: BTreeMap<&'a str, &'static str>,
}

impl Run<'_> {
    /// Prints the problems of texts. Returns how many documents the texts would have been.
    fn problems(&mut self, problems: &[Problem]) -> Result<usize, Error> {
        let mut documents = 0;
        for problem in problems {
            documents += usize::from(is_document(problem.message.reason()));
            self.print(&problem.message, problem_finding(problem))?;
        }
        Ok(documents)
    }

    /// Prints a warning about the run and not about a document.
    fn warn(&mut self, message: &Message, place: &str) -> Result<(), Error> {
        self.print(message, Finding::of_document(message, place))
    }

    fn print(&mut self, message: &Message, finding: Finding<'_>) -> Result<(), Error> {
        let rendered = self.worker.findings.render(message.reason(), || finding);
        rendered.map_or(Ok(()), |rendered| self.report.print(&rendered))
    }

    /// Prints what a unit gave.
    fn take(&mut self, worked: Result<Worked, Problem>) -> Result<(), Error> {
        let worked = match worked {
            Ok(worked) => worked,
            Err(problem) => return self.problems(&[problem]).map(drop),
        };
        for arn in &worked.named_files {
            self.unnamed_files.remove(arn.as_str());
        }
        for (document, line) in worked.explanations {
            if self.explained.insert(document) {
                self.report.say(&line)?;
            }
        }
        let settled = self.given.settle(&worked.claims);
        if settled.changes_findings() {
            self.report_changed(worked.number, settled.clone())?;
        } else {
            self.report(&worked.findings, worked.shares)?;
        }
        let objects = worked.objects.iter().zip(settled.fresh);
        for (object, _) in objects.filter(|(_, is_fresh)| *is_fresh) {
            self.objects += 1;
            self.output.write(object)?;
        }
        Ok(())
    }

    /// Prints the findings of a unit that contradicts or repeats an earlier one. This is rare, so it is read again.
    fn report_changed(&mut self, number: usize, settled: Settled) -> Result<(), Error> {
        let worker = self.worker;
        let unit = match worker.catalog.unit(number) {
            Some(Ok(unit)) => unit,
            Some(Err(problem)) => return self.problems(&[problem]).map(drop),
            None => return Ok(()),
        };
        let changed = worker.drafter.draft(&unit)?.conversion(settled);
        let findings = worker.findings.of_unit(&unit, &changed.diagnostics);
        self.report(&findings, unit.shares)
    }

    /// Prints the findings of a unit.
    fn report(&mut self, findings: &[Rendered], are_shared: bool) -> Result<(), Error> {
        findings.iter().try_for_each(|rendered| {
            if are_shared {
                self.report.print_once(rendered)
            } else {
                self.report.print(rendered)
            }
        })
    }

    /// Ends the output and the report.
    fn finish(mut self, folder: Option<&Path>, documents: usize) -> Result<ExitCode, Error> {
        for (arn, option) in mem::take(&mut self.unnamed_files) {
            let arn = arn.to_owned();
            let message = match option {
                ENV_FILE => Message::EnvironmentFileUnused { arn },
                _ => Message::FirelensFileUnused { arn },
            };
            self.warn(&message, option)?;
        }
        let left = self.output.finish()?;
        if let Some(folder) = folder
            && !left.is_empty()
        {
            let names = left.join(", ");
            self.warn(&Message::FilesLeft { names }, &folder.to_string_lossy())?;
        }
        let skipped = self.worker.catalog.skipped();
        self.report.summarize(documents, self.objects, skipped)?;
        Ok(ExitCode::from(u8::from(self.report.has_errors())))
    }
}

/// What is done with each unit alone, on one of several threads.
struct Worker<'a> {
    catalog: &'a Catalog,
    drafter: Drafter<'a>,
    findings: &'a Findings,
    format: Format,
    /// Whether it is printed how documents are recognized.
    explains: bool,
}

/// What a unit gives if no other unit gives the same or contradicts it.
struct Worked {
    /// The number of the unit.
    number: usize,
    /// Whether other units have some of the findings too.
    shares: bool,
    claims: Claims,
    findings: Vec<Rendered>,
    objects: Vec<Printed>,
    named_files: Vec<String>,
    /// How each document was recognized, by its file and position.
    explanations: Vec<((String, usize), String)>,
}

impl Worker<'_> {
    fn work(
        &self,
        number: usize,
        unit: Result<Unit, Problem>,
    ) -> Result<Result<Worked, Problem>, Error> {
        let unit = match unit {
            Ok(unit) => unit,
            Err(problem) => return Ok(Err(problem)),
        };
        let draft = self.drafter.draft(&unit)?;
        let printed = draft.objects().iter();
        let printed = printed.map(|object| Printed::new(object, self.format));
        Ok(Ok(Worked {
            number,
            findings: self.findings.of_unit(&unit, &draft.diagnostics()),
            shares: unit.shares,
            objects: printed.collect::<Result<_, _>>()?,
            named_files: named_files(&unit).map(str::to_owned).collect(),
            explanations: if self.explains {
                explanations(&unit).collect()
            } else {
                Vec::new()
            },
            claims: draft.into_claims(),
        }))
    }
}

/// How findings are printed.
struct Findings {
    denied: Denied,
    renderer: Renderer,
}

impl Findings {
    /// Renders a finding with this reason, unless it is not printed.
    fn render<'f>(
        &self,
        reason: Reason,
        finding: impl FnOnce() -> Finding<'f>,
    ) -> Option<Rendered> {
        let severity = self.denied.severity(reason);
        self.renderer.prints(severity).then(|| {
            let finding = finding();
            let is_denied = finding.severity != severity;
            let finding = Finding {
                severity,
                ..finding
            };
            self.renderer.render(&finding, is_denied)
        })
    }

    /// Renders the diagnostics of a unit, each one once.
    fn of_unit(&self, unit: &Unit, diagnostics: &[Diagnostic]) -> Vec<Rendered> {
        let rendered = diagnostics.iter().filter_map(|diagnostic| {
            self.render(diagnostic.reason(), || {
                let place = unit.point_at(diagnostic);
                let file = place.map_or_else(|| unit_file(unit), |(source, _)| source.name());
                let mut finding = Finding::new(diagnostic, file);
                finding.place = place.map(|(source, span)| place_of(source, span));
                finding
            })
        });
        let mut known = HashSet::new();
        rendered
            .filter(|rendered| known.insert(rendered.digest))
            .collect()
    }
}

/// Returns the environment files and FireLens configurations that the containers of a unit name.
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
    let routers = containers
        .iter()
        .filter_map(|container| container.firelens_configuration.as_ref());
    let configurations = routers.filter_map(|router| router.options.get("config-file-value"));
    files
        .filter_map(|file| file.value.as_deref())
        .chain(configurations.map(String::as_str))
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

/// Whether a problem of a text is about a document that was not counted as such. Failures that AWS reported in a response,
/// missing files and empty folders are no documents, and of duplicates, both are counted.
fn is_document(reason: Reason) -> bool {
    let others = [Reason::DuplicateDocument, Reason::UnreadableFile];
    reason.severity() == Severity::Error && !others.contains(&reason)
}

fn problem_finding(problem: &Problem) -> Finding<'_> {
    let mut finding = Finding::of_document(&problem.message, problem.source.name());
    finding.place = problem.span.map(|span| place_of(&problem.source, span));
    finding
}

/// Returns how each document of a unit was recognized, with its file and position.
fn explanations(unit: &Unit) -> impl Iterator<Item = ((String, usize), String)> {
    unit.documents.iter().map(|document| {
        let (source, span) = (document.source(), document.span());
        let position = source.position(span.start);
        let form = document.form();
        let line = format!(
            "{}:{}:{}: taken for {}, because {}",
            one_line(source.name()),
            position.line,
            position.column,
            form.label(),
            form.because()
        );
        ((source.name().to_owned(), span.start), line)
    })
}
