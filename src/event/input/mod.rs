//! What the target of a rule gets of an event.

mod path;
mod template;
#[cfg(test)]
mod tests;

pub use self::path::EventPath;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::template::{Names, Part, Source, Template};

/// How many characters `Input` and `InputTemplate` may have.
const MAX_LENGTH: usize = 8192;
/// How many paths a transformer may have.
const MAX_PATHS: usize = 100;
/// How many characters the name of a variable may have.
const MAX_NAME: usize = 256;
/// How many bytes the result may have: as many as an event of EventBridge. A template can repeat a long value.
const MAX_RESULT: usize = 256 * 1024;

/// The members of a target that say what it gets, as users write them.
#[derive(Clone, Debug, Default)]
pub struct InputSpec<'s> {
    /// `Input`: a JSON text, which does not depend on the event.
    pub input: Option<&'s str>,
    /// `InputPath`: the path of a part of the event.
    pub input_path: Option<&'s str>,
    /// `InputTransformer.InputPathsMap`: the names of variables and their paths.
    pub input_paths_map: Vec<(&'s str, &'s str)>,
    /// `InputTransformer.InputTemplate`.
    pub input_template: Option<&'s str>,
}

/// What a template can say about an event besides its contents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'c> {
    /// The ARN of the rule that matched, or of the pipe.
    pub own_arn: &'c str,
    /// The name of the rule that matched, or of the pipe.
    pub own_name: &'c str,
    /// The ARN of the queue of a pipe.
    pub source_arn: &'c str,
    /// The ARN of what is called.
    pub target_arn: &'c str,
    /// When the event was received, in the format of ISO 8601.
    pub ingestion_time: &'c str,
}

/// What the target of a rule gets: the event, a part of it, or what a template makes of it.
///
/// What a template inserts inside of quotes is not escaped by [`Self::parse`], as in EventBridge: whoever writes events
/// can add members to the JSON with a quote in such a value. [`Self::parse_escaped`] and [`Self::of_pipe`] escape it.
/// Outside of quotes, a value stays one JSON value.
#[derive(Clone, Debug, PartialEq)]
pub struct Input(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Event,
    Constant(String),
    Path(EventPath),
    Template(Template),
}

/// What is wrong with the input of a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {problem}; {instead}")]
pub struct InputError {
    /// The member, as `InputTransformer.InputTemplate`.
    pub member: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to write instead.
    pub instead: String,
}

/// Why a target gets nothing of an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// `InputPath` finds nothing.
    #[error("{0} finds nothing in the event")]
    Missing(String),
    /// The text has more bytes than an event.
    #[error("the text has more than {MAX_RESULT} bytes")]
    TooLong,
    /// The text is not JSON.
    #[error("the text is not JSON: {problem}{}", nothing(.missing))]
    NotJson {
        /// What the reader of JSON says.
        problem: String,
        /// The paths of variables that find nothing in the event.
        missing: Vec<String>,
    },
}

/// Returns the end of a message about paths that find nothing.
fn nothing(paths: &[String]) -> String {
    if paths.is_empty() {
        return String::new();
    }
    format!("; {} finds nothing in the event", paths.join(", "))
}

impl Input {
    /// Reads the members of a target. Without any, it gets the whole event.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse(spec: &InputSpec<'_>) -> Result<Self, InputError> {
        Self::read(spec, false)
    }

    /// Reads the members of a target whose JSON only its author may shape: what a template inserts inside of quotes is
    /// escaped, so that it stays inside of them. This is a difference from EventBridge.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse_escaped(spec: &InputSpec<'_>) -> Result<Self, InputError> {
        Self::read(spec, true)
    }

    /// Reads the `InputTemplate` of a pipe, which has paths in angle brackets, as `<$.body.state>`. What it inserts
    /// inside of quotes is escaped. Without any path, it is a constant.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn of_pipe(template: &str) -> Result<Self, InputError> {
        within_length("InputTemplate", template)?;
        let template = Template::parse(template, Names::OfPipe, true)
            .map_err(|(problem, instead)| error("InputTemplate", problem, instead))?;
        Ok(Self(Kind::Template(template)))
    }

    /// Whether it is the same for each event.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        match &self.0 {
            Kind::Constant(_) => true,
            Kind::Event | Kind::Path(_) => false,
            Kind::Template(template) => {
                let mut parts = template.parts.iter();
                parts.all(|part| matches!(part, Part::Text(_)))
            }
        }
    }

    fn read(spec: &InputSpec<'_>, escapes: bool) -> Result<Self, InputError> {
        let has_transformer = spec.input_template.is_some() || !spec.input_paths_map.is_empty();
        let given = [
            ("Input", spec.input.is_some()),
            ("InputPath", spec.input_path.is_some()),
            ("InputTransformer", has_transformer),
        ];
        let mut given = given.into_iter().filter(|(_, is_given)| *is_given);
        if let (Some((first, _)), Some((second, _))) = (given.next(), given.next()) {
            let problem = format!("it stands beside {first}");
            return Err(error(second, problem, "use one of them"));
        }
        if let Some(text) = spec.input {
            constant(text)
        } else if let Some(path) = spec.input_path {
            let path = EventPath::parse(path)
                .map_err(|problem| error("InputPath", problem, "write a path as $.detail"))?;
            Ok(Self(Kind::Path(path)))
        } else if has_transformer {
            transformer(spec, escapes)
        } else {
            Ok(Self(Kind::Event))
        }
    }

    /// Returns the text that the target gets.
    ///
    /// # Errors
    ///
    /// `InputPath` finds nothing, or the text has more than 256 KiB.
    pub fn text(&self, event: &Value, context: &Context<'_>) -> Result<String, RenderError> {
        let text = match &self.0 {
            Kind::Event => event.to_string(),
            Kind::Constant(text) => text.clone(),
            Kind::Path(path) => path
                .find(event)
                .map(Value::to_string)
                .ok_or_else(|| RenderError::Missing(path.as_str().to_owned()))?,
            Kind::Template(template) => return fill(template, event, context),
        };
        within_limit(text)
    }

    /// Returns what the target gets as a JSON value.
    ///
    /// # Errors
    ///
    /// As for [`Self::text`], and if the text is not JSON.
    pub fn json(&self, event: &Value, context: &Context<'_>) -> Result<Value, RenderError> {
        let text = self.text(event, context)?;
        serde_json::from_str(&text).map_err(|error| RenderError::NotJson {
            problem: error.to_string(),
            missing: self.missing(event),
        })
    }

    /// Returns the paths of the variables that find nothing.
    fn missing(&self, event: &Value) -> Vec<String> {
        let Kind::Template(template) = &self.0 else {
            return Vec::new();
        };
        let mut missing: Vec<String> = template
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Variable {
                    source: Source::Path(path),
                    ..
                } if path.find(event).is_none() => Some(path.as_str().to_owned()),
                _ => None,
            })
            .collect();
        missing.sort();
        missing.dedup();
        missing
    }
}

fn error(
    member: impl Into<String>,
    problem: impl Into<String>,
    instead: impl Into<String>,
) -> InputError {
    InputError {
        member: member.into(),
        problem: problem.into(),
        instead: instead.into(),
    }
}

fn constant(text: &str) -> Result<Input, InputError> {
    within_length("Input", text)?;
    serde_json::from_str::<Value>(text).map_err(|problem| {
        let problem = format!("it is not JSON: {problem}");
        error(
            "Input",
            problem,
            "write a JSON text, a string with its quotes",
        )
    })?;
    Ok(Input(Kind::Constant(text.to_owned())))
}

fn within_length(member: &str, text: &str) -> Result<(), InputError> {
    let length = text.chars().count();
    if length > MAX_LENGTH {
        let problem = format!("it has {length} characters");
        return Err(error(member, problem, format!("use at most {MAX_LENGTH}")));
    }
    Ok(())
}

fn transformer(spec: &InputSpec<'_>, escapes: bool) -> Result<Input, InputError> {
    const MAP: &str = "InputTransformer.InputPathsMap";
    const TEMPLATE: &str = "InputTransformer.InputTemplate";
    let Some(text) = spec.input_template.filter(|text| !text.is_empty()) else {
        return Err(error(TEMPLATE, "it is empty", "write what the target gets"));
    };
    within_length(TEMPLATE, text)?;
    let count = spec.input_paths_map.len();
    if count > MAX_PATHS {
        let problem = format!("it has {count} entries");
        return Err(error(MAP, problem, format!("use at most {MAX_PATHS}")));
    }
    let mut paths = BTreeMap::new();
    for (name, path) in &spec.input_paths_map {
        let at = format!("{MAP}.{name}");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_plain) {
            let problem = "this is not a name of a variable";
            let instead = format!("use 1 to {MAX_NAME} letters, digits, - and _");
            return Err(error(at, problem, instead));
        }
        if name.starts_with("AWS") {
            let problem = "names that begin with AWS are reserved";
            return Err(error(at, problem, "choose another name"));
        }
        let path = EventPath::parse(path)
            .map_err(|problem| error(&at, problem, "write a path as $.detail.state"))?;
        if paths.insert(*name, path).is_some() {
            return Err(error(
                at,
                "the name stands here twice",
                "remove one of them",
            ));
        }
    }
    let template = Template::parse(text, Names::OfRule(&paths), escapes)
        .map_err(|(problem, instead)| error(TEMPLATE, problem, instead))?;
    Ok(Input(Kind::Template(template)))
}

/// Returns the text of a template with its variables.
fn fill(template: &Template, event: &Value, context: &Context<'_>) -> Result<String, RenderError> {
    let mut filled = String::new();
    for part in &template.parts {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Variable { source, quoted } => {
                let value = value(source, *quoted, event, context);
                if *quoted && template.escapes {
                    let escaped = Value::from(value).to_string();
                    // It stands between the quotes of the template.
                    let inside = escaped
                        .strip_prefix('"')
                        .and_then(|it| it.strip_suffix('"'));
                    filled.push_str(inside.unwrap_or_default());
                } else {
                    filled.push_str(&value);
                }
            }
        }
        filled = within_limit(filled)?;
    }
    Ok(filled)
}

fn within_limit(text: String) -> Result<String, RenderError> {
    if text.len() > MAX_RESULT {
        return Err(RenderError::TooLong);
    }
    Ok(text)
}

/// Returns what a variable stands for, and nothing if its path finds nothing.
fn value(source: &Source, quoted: bool, event: &Value, context: &Context<'_>) -> String {
    let text = match source {
        Source::Path(path) => match path.find(event) {
            Some(Value::String(text)) => text,
            Some(value) => return value.to_string(),
            None => return String::new(),
        },
        Source::OwnArn => context.own_arn,
        Source::OwnName => context.own_name,
        Source::QueueArn => context.source_arn,
        Source::TargetArn => context.target_arn,
        Source::IngestionTime => context.ingestion_time,
        Source::Event => return event.to_string(),
        Source::EventWithoutDetail => return without_detail(event).to_string(),
    };
    if quoted {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

fn without_detail(event: &Value) -> Value {
    let members = event.as_object().into_iter().flatten();
    let members = members.filter(|(key, _)| *key != "detail");
    let members: Map<String, Value> = members
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Value::Object(members)
}
