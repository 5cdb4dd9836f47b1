//! Renders findings as text for people and machines.

mod concise;
mod full;
mod github;
mod json;
mod text;

pub use concise::concise;
pub use full::full;
pub use github::github;
pub use json::json;
pub(crate) use text::is_obeyed;

use std::borrow::Cow;

use super::{Diagnostic, Message, Severity};

/// A diagnostic and the position of its document.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// Its effect; a denied warning is an error.
    pub severity: Severity,
    /// The stable name of the reason.
    pub reason: &'static str,
    /// The field; empty for the document as a whole.
    pub path: String,
    /// The message.
    pub message: String,
    /// The advice; may be empty.
    pub help: String,
    /// The file's name.
    pub file: &'a str,
    /// The position in the file, if it is known.
    pub place: Option<Place<'a>>,
}

/// A position in a file.
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
    /// Creates a finding without a position.
    #[must_use]
    pub fn new(diagnostic: &Diagnostic, file: &'a str) -> Self {
        Self {
            path: text::shortened(diagnostic.path.to_string()),
            ..Self::of_document(&diagnostic.message, file)
        }
    }

    /// Creates a finding about a document or a file as a whole.
    #[must_use]
    pub fn of_document(message: &Message, file: &'a str) -> Self {
        Self {
            severity: message.reason().severity(),
            reason: message.reason().name(),
            path: String::new(),
            message: text::shortened(message.to_string()),
            help: text::shortened(message.help()),
            file,
            place: None,
        }
    }

    /// Returns `file`, or `file:line:column`.
    fn position(&self) -> String {
        match &self.place {
            Some(place) => format!("{}:{}:{}", self.file, place.line, place.column),
            None => self.file.to_owned(),
        }
    }
}

/// Returns a text of the input on one line, with escapes for characters that a terminal would interpret.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    text::one_line(text)
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
    fn no_text_of_the_input_reaches_a_terminal_as_a_command() {
        const EVIL: &str = "a\u{1b}[2Jb\nc\rd\u{202e}e\u{9b}0m";
        let shown = r"a\u{1b}[2Jb\nc\rd\u{202e}e\u{9b}0m";
        for place in [true, false] {
            let mut finding = finding(place);
            for text in [&mut finding.path, &mut finding.message, &mut finding.help] {
                EVIL.clone_into(text);
            }
            finding.file = EVIL;
            for rendered in [concise(&finding), full(&finding, false)] {
                assert_eq!(rendered.matches(shown).count(), 4, "{rendered}");
                let is_obeyed = |c: char| c != '\n' && one_line(&c.to_string()) != c.to_string();
                assert!(!rendered.contains(is_obeyed), "{rendered:?}");
            }
            assert_eq!(concise(&finding).matches('\n').count(), 1);
            let line = json(&finding);
            assert!(
                !line
                    .trim_end()
                    .contains(['\u{1b}', '\n', '\u{202e}', '\u{9b}'])
            );
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["message"], EVIL);
            let line = github(&finding);
            assert!(line.contains(r"\u{1b}[2Jb%0Ac%0Dd\u{202e}e"), "{line}");
            assert_eq!(
                line.matches(['\n', '\r', '\u{1b}', '\u{9b}']).count(),
                1,
                "{line}"
            );
        }
    }

    #[test]
    fn an_excerpt_is_shown_and_not_obeyed() {
        let mut finding = finding(true);
        finding.place = Some(Place {
            text: "\"a\u{1b}[2J\u{202e}\u{9b}b\"",
            span: 0..5,
            line: 1,
            column: 1,
        });
        let rendered = full(&finding, false);
        assert!(
            !rendered.contains(['\u{1b}', '\u{202e}', '\u{9b}']),
            "{rendered:?}"
        );
    }

    #[test]
    fn many_findings_on_one_line_cost_no_more_than_their_number() {
        let text = "x".repeat(20_000_000);
        let mut finding = finding(true);
        // Work that grows with the square of the input would take minutes.
        for number in 0..1_000 {
            let start = number * 20_000;
            finding.place = Some(Place {
                text: &text,
                span: start..start + 10,
                line: 1,
                column: start + 1,
            });
            assert!(full(&finding, false).contains(&format!("td.json:1:{}", start + 1)));
        }
    }

    #[test]
    fn a_value_of_megabytes_is_not_repeated() {
        use crate::diagnostic::{FieldPath, Subject};
        let long = "9".repeat(10_000_000);
        let diagnostic = Diagnostic {
            path: FieldPath::root(Subject::Service).field(long.clone()),
            message: Message::UnknownField {
                name: long.clone(),
                advice: long,
            },
        };
        let finding = Finding::new(&diagnostic, "a.json");
        assert!(full(&finding, false).len() < 10_000);
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
