//! Findings as text for people and machines. What was found is decided elsewhere; this only prints.

mod concise;
mod full;
mod github;
mod json;

pub use concise::concise;
pub use full::full;
pub use github::github;
pub use json::json;

use super::{Diagnostic, Severity};

/// A diagnostic together with where its document stands.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// What it does; a denied warning is an error.
    pub severity: Severity,
    /// The stable name of the reason.
    pub reason: &'static str,
    /// The field; empty for the document as a whole.
    pub path: String,
    /// What was found.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
    /// The file's name.
    pub file: &'a str,
    /// The place in the file, if it is known.
    pub place: Option<Place<'a>>,
}

/// A place in a file.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The whole text of the file.
    pub text: &'a str,
    /// The bytes that the finding is about.
    pub span: std::ops::Range<usize>,
    /// The line of the first of them, from 1.
    pub line: usize,
    /// The character in that line, from 1.
    pub column: usize,
}

impl<'a> Finding<'a> {
    /// A finding without a place.
    #[must_use]
    pub fn new(diagnostic: &Diagnostic, file: &'a str) -> Self {
        Self {
            severity: diagnostic.severity(),
            reason: diagnostic.reason().name(),
            path: diagnostic.path.to_string(),
            message: diagnostic.message.to_string(),
            help: diagnostic.message.help(),
            file,
            place: None,
        }
    }

    /// `file`, or `file:line:column`.
    fn position(&self) -> String {
        match &self.place {
            Some(place) => format!("{}:{}:{}", self.file, place.line, place.column),
            None => self.file.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"family\": \"web\",\n  \"cpu\": \"abc\"\n}\n";

    fn finding(place: bool) -> Finding<'static> {
        let start = TEXT.find("\"abc\"").unwrap();
        Finding {
            severity: Severity::Error,
            reason: "InvalidValue",
            path: "cpu".to_owned(),
            message: "abc: CPU units".to_owned(),
            help: "write 256".to_owned(),
            file: "td.json",
            place: place.then(|| Place {
                text: TEXT,
                span: start..start + 5,
                line: 3,
                column: 10,
            }),
        }
    }

    #[test]
    fn concise_is_one_line() {
        assert_eq!(
            concise(&finding(true)),
            "td.json:3:10: error[InvalidValue]: cpu: abc: CPU units; write 256\n"
        );
        assert_eq!(
            concise(&finding(false)),
            "td.json: error[InvalidValue]: cpu: abc: CPU units; write 256\n"
        );
    }

    #[test]
    fn full_shows_the_excerpt() {
        let expected = "\
error[InvalidValue]: abc: CPU units
 --> td.json:3:10
  |
3 |   \"cpu\": \"abc\"
  |          ^^^^^ cpu
  |
  = help: write 256

";
        assert_eq!(full(&finding(true), false), expected);
        assert_eq!(
            full(&finding(false), false),
            "error[InvalidValue]: abc: CPU units\n |\n = note: cpu in td.json\n = help: write 256\n\n"
        );
        assert!(full(&finding(true), true).contains('\u{1b}'));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}\"abc\"{}", "ä".repeat(50_000), "ö".repeat(50_000));
        let mut finding = finding(true);
        finding.place = Some(Place {
            text: &text,
            span: 100_000..100_005,
            line: 1,
            column: 50_001,
        });
        let shown = full(&finding, false);
        assert!(shown.len() < 1500 && shown.contains("\"abc\""), "{shown}");
        assert!(shown.contains("td.json:1:50001"), "{shown}");
    }

    #[test]
    fn machines_get_every_member() {
        let line = json(&finding(true));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "severity": "error", "reason": "InvalidValue", "file": "td.json", "line": 3, "column": 10,
                "path": "cpu", "message": "abc: CPU units", "help": "write 256",
            })
        );
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
    }

    #[test]
    fn annotations_escape_what_github_reads() {
        let mut finding = finding(true);
        finding.message = "50%\nof a:b".to_owned();
        finding.file = "a,b:c.json";
        assert_eq!(
            github(&finding),
            "::error file=a%2Cb%3Ac.json,line=3,col=10,title=InvalidValue::cpu: 50%25%0Aof a:b; write 256\n"
        );
    }
}
