//! Templates with variables in angle brackets.

use std::collections::BTreeMap;

use super::path::EventPath;

/// A template that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Variable {
        source: Source,
        /// Whether it stands inside of a string, and so without quotes of its own.
        quoted: bool,
    },
}

/// Where a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Path(EventPath),
    RuleArn,
    RuleName,
    IngestionTime,
    /// The event without its `detail`.
    EventWithoutDetail,
    Event,
}

const PREDEFINED: &[(&str, Source)] = &[
    ("aws.events.rule-arn", Source::RuleArn),
    ("aws.events.rule-name", Source::RuleName),
    ("aws.events.event.ingestion-time", Source::IngestionTime),
    ("aws.events.event", Source::EventWithoutDetail),
    ("aws.events.event.json", Source::Event),
];

impl Template {
    /// Reads a template. `<name>` is a variable; other angle brackets are text.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to write instead.
    pub(super) fn parse(
        text: &str,
        paths: &BTreeMap<&str, EventPath>,
    ) -> Result<Self, (String, String)> {
        let mut reader = Reader {
            is_object: text.trim_start().starts_with('{'),
            rest: text,
            in_string: false,
            has_variable: false,
            last: None,
            pending: String::new(),
            parts: Vec::new(),
        };
        while let Some(character) = reader.rest.chars().next() {
            match variable(reader.rest) {
                Some((name, rest)) => reader.variable(name, rest, paths)?,
                None => reader.character(character)?,
            }
        }
        reader.flush();
        Ok(Self {
            parts: reader.parts,
        })
    }
}

/// Reads the name of a variable, and returns what is after it.
fn variable(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix('<')?.split_once('>')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!name.is_empty() && name.chars().all(is_plain)).then_some((name, rest))
}

struct Reader<'t> {
    /// Whether the template is a JSON object, for which there are more rules.
    is_object: bool,
    rest: &'t str,
    in_string: bool,
    /// Whether the string that was begun has a variable.
    has_variable: bool,
    /// The last character that is not white space.
    last: Option<char>,
    /// Text that is not yet among the parts.
    pending: String,
    parts: Vec<Part>,
}

impl<'t> Reader<'t> {
    fn character(&mut self, character: char) -> Result<(), (String, String)> {
        self.take(character);
        match character {
            '"' => {
                self.in_string = !self.in_string;
                if !self.in_string && self.has_variable {
                    self.no_key("a string with a variable")?;
                }
                self.has_variable = false;
            }
            '\\' if self.in_string => {
                // What is escaped ends no string.
                if let Some(escaped) = self.rest.chars().next().filter(|it| *it != '<') {
                    self.take(escaped);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take(&mut self, character: char) {
        self.pending.push(character);
        if !character.is_whitespace() {
            self.last = Some(character);
        }
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
    }

    fn variable(
        &mut self,
        name: &str,
        rest: &'t str,
        paths: &BTreeMap<&str, EventPath>,
    ) -> Result<(), (String, String)> {
        let predefined = PREDEFINED.iter().find(|(known, _)| *known == name);
        let source = match (predefined, paths.get(name)) {
            (Some((_, source)), _) => source.clone(),
            (None, Some(path)) => Source::Path(path.clone()),
            (None, None) => {
                return Err((
                    format!("<{name}> is not defined"),
                    format!("add {name} to InputPathsMap, with a path as $.detail.{name}"),
                ));
            }
        };
        let is_event = matches!(source, Source::Event | Source::EventWithoutDetail);
        let is_value = self.is_object && !self.in_string && self.last == Some(':');
        if is_event && !is_value {
            return Err((
                format!("<{name}> stands elsewhere than as the value of a JSON field"),
                format!("write it without quotes, as {{\"event\": <{name}>}}"),
            ));
        }
        self.flush();
        self.parts.push(Part::Variable {
            source,
            quoted: self.in_string,
        });
        self.rest = rest;
        self.last = Some('>');
        self.has_variable = self.in_string;
        if self.in_string {
            return Ok(());
        }
        self.no_key("a variable")
    }

    /// Checks that what was just read is not the key of an object.
    fn no_key(&self, what: &str) -> Result<(), (String, String)> {
        if self.is_object && self.rest.trim_start().starts_with(':') {
            return Err((
                format!("{what} is the key of an object"),
                "use variables in values".to_owned(),
            ));
        }
        Ok(())
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            self.parts
                .push(Part::Text(std::mem::take(&mut self.pending)));
        }
    }
}
