//! `ecs-operator convert`.

use std::{
    collections::{BTreeSet, HashSet},
    mem,
    path::Path,
    process::ExitCode,
};

use super::{
    Error,
    arguments::ConvertOptions,
    layout::{Kept, Layout},
    named::{self, Named},
    output::{Finished, Form, Output, Printed},
    report::{Rendered, Renderer, Report},
    values,
};
use crate::{
    convert::{Claims, Denied, Drafter, Given, Settled, Target},
    diagnostic::{
        Diagnostic, Message, Reason, Severity,
        render::{Finding, Place, one_line},
    },
    settings::Settings,
    source::{Catalog, Problem, SourceText, Span, Unit},
};

/// Converts unit by unit, so that memory does not grow with the number of objects.
pub(super) fn run(options: &ConvertOptions) -> Result<ExitCode, Error> {
    let mut settings = options.settings()?;
    let overlays = options.output.overlays()?;
    let findings = Findings {
        denied: options.denied(),
        renderer: Renderer::new(options.output.diagnostics, options.output.verbose),
    };
    let mut problems = Vec::new();
    let given = options.values(&settings)?;
    let unnamed = named::given(&settings, &given);
    let folder = options.output.output_dir.as_deref();
    let catalog = Catalog::read(&options.inputs, folder, given, &mut |problem| {
        problems.push(problem);
    });
    if let Some(namespace) = catalog.only_namespace()
        && !settings.namespace_is_given
        && values::namespace(namespace).is_ok()
    {
        namespace.clone_into(&mut settings.namespace);
        settings.namespace_is_given = true;
    }
    let form = form(options, &settings);
    let worker = Worker {
        catalog: &catalog,
        drafter: Drafter::new(&settings, options.target(), findings.denied.clone()),
        findings: &findings,
        form: &form,
        explains: options.input.explain_input,
        looks_for_names: !unnamed.is_empty(),
    };
    let mut run = Run {
        worker: &worker,
        report: Report::new(options.output.diagnostics),
        output: Output::new(folder, &form, &overlays),
        given: Given::default(),
        objects: 0,
        explained: HashSet::new(),
        unnamed,
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

/// Returns how objects are printed. Who installs a chart chooses its namespace, unless the options or the input do.
fn form(options: &ConvertOptions, settings: &Settings) -> Form {
    let layout = options.output.layout;
    let is_open = layout == Layout::Helm
        && options.target() == Target::Manifests
        && !settings.namespace_is_given;
    Form {
        format: options.output.output,
        layout,
        open_namespace: is_open.then(|| settings.namespace.clone()),
    }
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
    /// What options say something about and no document has named yet.
    unnamed: BTreeSet<Named>,
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

    /// Prints a finding about the run and not about a document.
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
        for named in &worked.named {
            self.unnamed.remove(named);
        }
        for (document, line) in worked.explanations {
            if self.explained.insert(document) {
                self.report.say(&line)?;
            }
        }
        let settled = self.given.settle(worked.number, &worked.claims);
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
        let file = |number| match worker.catalog.unit(number) {
            Some(Ok(other)) => other.file().to_owned(),
            _ => String::new(),
        };
        let changed = worker.drafter.draft(&unit)?.conversion(settled, file);
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

    /// Prints what there is to say about the output folder.
    fn report_folder(&mut self, finished: &Finished, folder: &str) -> Result<(), Error> {
        let Finished {
            left,
            kept,
            is_withheld,
        } = finished;
        if !left.is_empty() {
            let names = left.join(", ");
            self.warn(&Message::FilesLeft { names }, folder)?;
        }
        if !kept.is_empty() {
            let names = kept.join(", ");
            self.warn(&Message::FilesKept { names }, folder)?;
        }
        if *is_withheld {
            self.warn(&Message::OutputWithheld, folder)?;
        }
        Ok(())
    }

    /// Ends the output and the report.
    fn finish(mut self, folder: Option<&Path>, documents: usize) -> Result<ExitCode, Error> {
        for unnamed in mem::take(&mut self.unnamed) {
            self.warn(&named::unused(&unnamed), unnamed.0)?;
        }
        let finished = self.output.finish(!self.report.has_errors())?;
        if let Some(folder) = folder {
            self.report_folder(&finished, &folder.to_string_lossy())?;
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
    form: &'a Form,
    /// Whether it is printed how documents are recognized.
    explains: bool,
    /// Whether options say something about single things, which documents name.
    looks_for_names: bool,
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
    named: BTreeSet<Named>,
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
        let diagnostics = draft.diagnostics();
        let kept = Kept::new(diagnostics.iter().filter_map(kept_names));
        let printed = draft.objects().iter();
        let printed = printed.map(|object| Printed::new(object, &kept, self.form));
        Ok(Ok(Worked {
            number,
            findings: self.findings.of_unit(&unit, &diagnostics),
            shares: unit.shares,
            objects: printed.collect::<Result<_, _>>()?,
            named: if self.looks_for_names {
                named::named(&unit)
            } else {
                BTreeSet::new()
            },
            explanations: if self.explains {
                explanations(&unit).collect()
            } else {
                Vec::new()
            },
            claims: draft.into_claims(),
        }))
    }
}

/// Returns the list of placeholders that a finding says are kept.
fn kept_names(finding: &Diagnostic) -> Option<&String> {
    match &finding.message {
        Message::PlaceholdersKept { names } => Some(names),
        _ => None,
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
                let file = place.map_or_else(|| unit.file(), |(source, _)| source.name());
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
