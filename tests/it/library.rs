//! Converts through the library, so that tests can do it a thousand times.

use ecs_operator::{
    convert::{Conversion, Converter, Denied, Target},
    diagnostic::Severity,
    print::{self, Ordered},
    settings::Settings,
    source::{Catalog, Fill, Problem, SourceText},
};
use serde_json::Value;

/// The result of converting texts.
#[derive(Debug, PartialEq)]
pub struct Result {
    /// Problems of texts as a whole.
    pub problems: Vec<Problem>,
    /// A conversion for each unit.
    pub conversions: Vec<Conversion>,
}

/// Converts texts, each as a separate file.
pub fn convert(texts: impl IntoIterator<Item = String>, settings: &Settings) -> Result {
    convert_to(texts, settings, Target::Manifests)
}

/// Converts texts to manifests or to resources.
pub fn convert_to(
    texts: impl IntoIterator<Item = String>,
    settings: &Settings,
    target: Target,
) -> Result {
    let mut problems = Vec::new();
    let sources = texts.into_iter().zip(1..).map(|(text, number)| {
        let json = text.trim_start().starts_with(['{', '[']);
        let extension = if json { "json" } else { "yaml" };
        SourceText::new(format!("{number}.{extension}"), &text)
    });
    let catalog = Catalog::of_texts(sources, Fill::default(), &mut |problem| {
        problems.push(problem)
    });
    let mut converter = Converter::new(settings, target, Denied::Nothing);
    let mut conversions = Vec::new();
    for unit in catalog.into_units() {
        match unit {
            Ok(unit) => conversions.push(converter.convert(&unit).expect("objects can be printed")),
            Err(problem) => problems.push(problem),
        }
    }
    Result {
        problems,
        conversions,
    }
}

impl Result {
    /// Returns all objects.
    pub fn objects(&self) -> Vec<Value> {
        let all = self.ordered();
        all.map(|object| serde_json::to_value(object).expect("objects are plain data"))
            .collect()
    }

    fn ordered(&self) -> impl Iterator<Item = &Ordered> {
        self.conversions
            .iter()
            .flat_map(|conversion| &conversion.objects)
    }

    /// Returns all objects as the program prints them.
    pub fn yaml(&self) -> String {
        let printed = self
            .ordered()
            .map(|object| print::yaml(object).expect("objects can be printed"));
        printed.map(|text| format!("---\n{text}")).collect()
    }

    /// Whether anything was rejected.
    pub fn has_errors(&self) -> bool {
        let error = |severity| severity == Severity::Error;
        self.problems
            .iter()
            .any(|problem| error(problem.message.reason().severity()))
            || self.conversions.iter().any(has_errors)
    }

    /// Returns reasons and positions of findings, without messages.
    pub fn places(&self) -> Vec<String> {
        let findings = self
            .conversions
            .iter()
            .flat_map(|conversion| &conversion.diagnostics);
        findings
            .map(|finding| format!("{} {}", finding.path, finding.reason().name()))
            .collect()
    }

    /// Returns the reasons of all findings, for messages.
    pub fn reasons(&self) -> Vec<String> {
        let problems = self
            .problems
            .iter()
            .map(|problem| format!("{}: {}", problem.message.reason().name(), problem.message));
        let findings = self
            .conversions
            .iter()
            .flat_map(|conversion| &conversion.diagnostics);
        let findings = findings.map(|finding| {
            format!(
                "{} {}: {}",
                finding.path,
                finding.reason().name(),
                finding.message
            )
        });
        problems.chain(findings).collect()
    }
}

/// Whether a conversion was rejected.
fn has_errors(conversion: &Conversion) -> bool {
    let mut findings = conversion.diagnostics.iter();
    findings.any(|finding| finding.severity() == Severity::Error)
}
