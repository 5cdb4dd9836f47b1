//! Templates with variables in angle brackets.

use std::collections::BTreeMap;

use super::path::EventPath;

/// A template that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
    /// Whether what is inserted inside of quotes is escaped.
    pub(super) escapes: bool,
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
    /// The ARN of the rule or the pipe.
    OwnArn,
    /// The name of the rule or the pipe.
    OwnName,
    QueueArn,
    TargetArn,
    IngestionTime,
    /// The event without its `detail`.
    EventWithoutDetail,
    Event,
}

const OF_RULES: &[(&str, Source)] = &[
    ("aws.events.rule-arn", Source::OwnArn),
    ("aws.events.rule-name", Source::OwnName),
    ("aws.events.event.ingestion-time", Source::IngestionTime),
    ("aws.events.event", Source::EventWithoutDetail),
    ("aws.events.event.json", Source::Event),
];

/// Without those of an enrichment and of the whole event.
const OF_PIPES: &[(&str, Source)] = &[
    ("aws.pipes.pipe-arn", Source::OwnArn),
    ("aws.pipes.pipe-name", Source::OwnName),
    ("aws.pipes.source-arn", Source::QueueArn),
    ("aws.pipes.target-arn", Source::TargetArn),
    ("aws.pipes.event.ingestion-time", Source::IngestionTime),
    ("aws.pipes.event", Source::Event),
    ("aws.pipes.event.json", Source::Event),
];

/// What the names in angle brackets stand for.
#[derive(Clone, Copy)]
pub(super) enum Names<'n> {
    /// Variables with paths, and what is predefined for rules.
    OfRule(&'n BTreeMap<&'n str, EventPath>),
    /// The paths themselves, and what is predefined for pipes.
    OfPipe,
}

impl Names<'_> {
    /// Reads what begins with an angle bracket, and returns what is after it.
    fn variable(self, text: &str) -> Option<(&str, &str)> {
        let (name, rest) = text.strip_prefix('<')?.split_once('>')?;
        let is_path = matches!(self, Names::OfPipe) && name.starts_with('$');
        let is_plain = |c: char| {
            c.is_ascii_alphanumeric()
                || matches!(c, '.' | '-' | '_')
                || is_path && matches!(c, '$' | '[' | ']' | '/' | '*')
        };
        (!name.is_empty() && name.chars().all(is_plain)).then_some((name, rest))
    }

    fn source(self, name: &str) -> Result<Source, (String, String)> {
        let predefined = match self {
            Names::OfRule(_) => OF_RULES,
            Names::OfPipe => OF_PIPES,
        };
        let mut known = predefined.iter();
        if let Some((_, source)) = known.find(|(known, _)| *known == name) {
            return Ok(source.clone());
        }
        match self {
            Names::OfRule(paths) => paths.get(name).cloned().map(Source::Path).ok_or_else(|| {
                (
                    format!("<{name}> is not defined"),
                    format!("add {name} to InputPathsMap, with a path as $.detail.{name}"),
                )
            }),
            Names::OfPipe if name.starts_with('$') => {
                let path = EventPath::parse(name);
                path.map(Source::Path)
                    .map_err(|problem| (problem, "write a path as $.body.state".to_owned()))
            }
            Names::OfPipe => Err((
                format!("<{name}> is not defined"),
                "write a path, as <$.body.state>".to_owned(),
            )),
        }
    }
}

impl Template {
    /// Reads a template. `<name>` is a variable; other angle brackets are text.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to write instead.
    pub(super) fn parse(
        text: &str,
        names: Names<'_>,
        escapes: bool,
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
            match names.variable(reader.rest) {
                Some((name, rest)) => reader.variable(name, rest, names.source(name)?)?,
                None => reader.character(character)?,
            }
        }
        reader.flush();
        let template = Self {
            parts: reader.parts,
            escapes,
        };
        if escapes && template.has_variable_after_backslash() {
            return Err((
                "a backslash stands before a variable, and would undo what protects its value"
                    .to_owned(),
                "write two backslashes for one".to_owned(),
            ));
        }
        Ok(template)
    }

    /// Whether a variable follows a backslash that is not itself escaped.
    fn has_variable_after_backslash(&self) -> bool {
        self.parts.windows(2).any(|pair| match pair {
            [Part::Text(text), Part::Variable { quoted: true, .. }] => {
                let rest = text.trim_end_matches('\\');
                (text.len() - rest.len()) % 2 == 1
            }
            _ => false,
        })
    }
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
        source: Source,
    ) -> Result<(), (String, String)> {
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
