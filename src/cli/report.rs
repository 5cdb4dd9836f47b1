//! Diagnostics on standard error, and their counts.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, BufWriter, IsTerminal as _, Stderr, Write as _},
};

use anstream::{AutoStream, ColorChoice};

use super::{Error, arguments::DiagnosticsFormat};
use crate::diagnostic::{
    Severity,
    render::{self, Finding},
};

const STANDARD_ERROR: &str = "standard error";

/// The size of the buffer in bytes. It is flushed at the end if standard error is not a terminal.
const BUFFER: usize = 64 * 1024;

/// How findings become text.
#[derive(Clone, Copy)]
pub(super) struct Renderer {
    /// Whether texts have colors.
    styled: bool,
    format: DiagnosticsFormat,
    /// Whether notes are printed.
    verbose: bool,
}

/// A finding as text.
pub(super) struct Rendered {
    severity: Severity,
    /// Whether it is an error only because of `--deny-warnings`.
    is_denied: bool,
    /// The same for the same finding at the same place.
    pub(super) digest: u64,
    text: String,
}

impl Renderer {
    pub(super) fn new(format: DiagnosticsFormat, verbose: bool) -> Self {
        Self {
            styled: AutoStream::choice(&io::stderr()) != ColorChoice::Never,
            format,
            verbose,
        }
    }

    /// Whether findings of this severity are printed. Most documents have notes, and most users do not want them.
    pub(super) fn prints(self, severity: Severity) -> bool {
        self.verbose || severity != Severity::Note
    }

    /// Renders a finding, which is an error only because of `--deny-warnings` if it `is_denied`.
    pub(super) fn render(self, finding: &Finding<'_>, is_denied: bool) -> Rendered {
        let mut hasher = DefaultHasher::new();
        let start = finding.place.as_ref().map(|place| place.span.start);
        (
            finding.file,
            start,
            finding.reason,
            &finding.path,
            &finding.message,
        )
            .hash(&mut hasher);
        Rendered {
            severity: finding.severity,
            is_denied,
            digest: hasher.finish(),
            text: match self.format {
                DiagnosticsFormat::Full => render::full(finding, self.styled),
                DiagnosticsFormat::Concise => render::concise(finding),
                DiagnosticsFormat::Json => render::json(finding),
                DiagnosticsFormat::Github => render::github(finding),
            },
        }
    }
}

/// Prints findings as they arrive.
pub(super) struct Report {
    writer: BufWriter<Stderr>,
    /// Whether standard error is a terminal, so that each finding is written immediately.
    watched: bool,
    format: DiagnosticsFormat,
    /// The findings that may be found once more.
    shared: HashSet<u64>,
    errors: usize,
    /// How many of the errors are warnings that are denied.
    denied: usize,
    warnings: usize,
}

impl Report {
    pub(super) fn new(format: DiagnosticsFormat) -> Self {
        Self {
            writer: BufWriter::with_capacity(BUFFER, io::stderr()),
            watched: io::stderr().is_terminal(),
            format,
            shared: HashSet::new(),
            errors: 0,
            denied: 0,
            warnings: 0,
        }
    }

    /// Whether a document was rejected.
    pub(super) const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Prints a finding that another unit may have too, because several services may run the same task definition.
    pub(super) fn print_once(&mut self, rendered: &Rendered) -> Result<(), Error> {
        if self.shared.insert(rendered.digest) {
            self.print(rendered)?;
        }
        Ok(())
    }

    pub(super) fn print(&mut self, rendered: &Rendered) -> Result<(), Error> {
        self.denied += usize::from(rendered.is_denied);
        match rendered.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Note => {}
        }
        self.write(&rendered.text)
    }

    /// Prints a line that is not a finding, except in machine-readable formats.
    pub(super) fn say(&mut self, line: &str) -> Result<(), Error> {
        match self.format {
            DiagnosticsFormat::Json => Ok(()),
            _ => self.write(&format!("{line}\n")),
        }
    }

    /// Ends the report with its summary. `skipped` is the number of files that are no ECS documents.
    pub(super) fn summarize(
        &mut self,
        documents: usize,
        objects: usize,
        skipped: usize,
    ) -> Result<(), Error> {
        let (warnings, errors, denied) = (self.warnings, self.errors, self.denied);
        let text = match self.format {
            DiagnosticsFormat::Json => {
                let summary = serde_json::json!({
                    "summary": {
                        "documents": documents, "skipped": skipped, "objects": objects,
                        "warnings": warnings, "errors": errors, "denied": denied,
                    },
                });
                format!("{summary}\n")
            }
            _ => {
                let skipped = match skipped {
                    0 => String::new(),
                    files => format!(" ({} skipped)", counted(files, "other file")),
                };
                format!(
                    "{}{skipped}, {}, {}, {}{}\n",
                    counted(documents, "document"),
                    counted(objects, "object"),
                    counted(warnings, "warning"),
                    counted(errors, "error"),
                    of_denied(denied, errors)
                )
            }
        };
        self.write(&text)?;
        self.writer.flush().map_err(Error::writing(STANDARD_ERROR))
    }

    fn write(&mut self, text: &str) -> Result<(), Error> {
        let written = self.writer.write_all(text.as_bytes());
        let flushed = written.and_then(|()| {
            if self.watched {
                self.writer.flush()?;
            }
            Ok(())
        });
        flushed.map_err(Error::writing(STANDARD_ERROR))
    }
}

/// Says how many of the errors are warnings that are denied.
fn of_denied(denied: usize, errors: usize) -> String {
    match denied {
        0 => String::new(),
        1 if errors == 1 => ": a warning that --deny-warnings rejects".to_owned(),
        1 => ", of which 1 is a warning that --deny-warnings rejects".to_owned(),
        _ if denied == errors => ": warnings that --deny-warnings rejects".to_owned(),
        _ => format!(", of which {denied} are warnings that --deny-warnings rejects"),
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
