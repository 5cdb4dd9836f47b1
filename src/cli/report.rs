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

/// Prints findings as they arrive, each one once, because two services may run the same task definition.
pub(super) struct Report {
    writer: BufWriter<Stderr>,
    /// Whether texts have colors.
    styled: bool,
    /// Whether standard error is a terminal, so that each finding is written immediately.
    watched: bool,
    format: DiagnosticsFormat,
    /// Whether notes are printed.
    verbose: bool,
    printed: HashSet<u64>,
    errors: usize,
    warnings: usize,
}

impl Report {
    pub(super) fn new(format: DiagnosticsFormat, verbose: bool) -> Self {
        Self {
            writer: BufWriter::with_capacity(BUFFER, io::stderr()),
            styled: AutoStream::choice(&io::stderr()) != ColorChoice::Never,
            watched: io::stderr().is_terminal(),
            format,
            verbose,
            printed: HashSet::new(),
            errors: 0,
            warnings: 0,
        }
    }

    /// Whether a document was rejected.
    pub(super) const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub(super) fn print(&mut self, finding: &Finding<'_>) -> Result<(), Error> {
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
        if !self.printed.insert(hasher.finish()) {
            return Ok(());
        }
        match finding.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Note if !self.verbose => return Ok(()),
            Severity::Note => {}
        }
        let text = match self.format {
            DiagnosticsFormat::Full => render::full(finding, self.styled),
            DiagnosticsFormat::Concise => render::concise(finding),
            DiagnosticsFormat::Json => render::json(finding),
            DiagnosticsFormat::Github => render::github(finding),
        };
        self.write(&text)
    }

    /// Prints a line that is not a finding, except in machine-readable formats.
    pub(super) fn say(&mut self, line: &str) -> Result<(), Error> {
        match self.format {
            DiagnosticsFormat::Json => Ok(()),
            _ => self.write(&format!("{line}\n")),
        }
    }

    /// Ends the report with its summary.
    pub(super) fn summarize(&mut self, documents: usize, objects: usize) -> Result<(), Error> {
        let (warnings, errors) = (self.warnings, self.errors);
        let text = match self.format {
            DiagnosticsFormat::Json => {
                let summary = serde_json::json!({
                    "summary": {"documents": documents, "objects": objects, "warnings": warnings, "errors": errors},
                });
                format!("{summary}\n")
            }
            _ => format!(
                "{}, {}, {}, {}\n",
                counted(documents, "document"),
                counted(objects, "object"),
                counted(warnings, "warning"),
                counted(errors, "error")
            ),
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

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
