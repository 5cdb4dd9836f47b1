//! FireLens: the log router of a task and the containers that log through it.

use super::{
    Scope,
    arn::{has_placeholder, is_one_placeholder},
    fluentd,
    secret::is_variable_name,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, shell_word},
    ecs,
    settings::Mode,
};

/// The option with a pattern that a record must match.
pub(crate) const FIRELENS_INCLUDE: &str = "include-pattern";
/// The option with a pattern that a record must not match.
pub(crate) const FIRELENS_EXCLUDE: &str = "exclude-pattern";
/// The option that Docker's log driver reads, not the router. Kubernetes has no such driver.
pub(crate) const FIRELENS_DRIVER_BUFFER: &str = "log-driver-buffer-limit";

/// The options of a container that do not belong to its output.
pub(crate) const FIRELENS_OWN_OPTIONS: [&str; 3] =
    [FIRELENS_INCLUDE, FIRELENS_EXCLUDE, FIRELENS_DRIVER_BUFFER];

/// The names of options that need no quotation.
const PLAIN_OPTION: &str = "an option has letters, digits, '.', '_' and '-'";
const LOG_METADATA: &str = "enable-ecs-log-metadata";
const CONFIG_TYPE: &str = "config-file-type";
const CONFIG_VALUE: &str = "config-file-value";

/// The log router of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firelens {
    /// The program that routes.
    pub program: LogRouter,
    /// Whether records contain the task's metadata.
    pub log_metadata: bool,
    /// The configuration file that the router reads too.
    pub config_file: Option<FirelensFile>,
    /// The memory of the router in MiB: the reservation, or else the limit; `None` if it has neither.
    pub memory: Option<i64>,
}

/// The program of a log router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogRouter {
    /// Fluent Bit, `fluentbit`.
    FluentBit,
    /// Fluentd, `fluentd`.
    Fluentd,
}

impl LogRouter {
    fn of(configuration: &ecs::FirelensConfiguration) -> Self {
        match configuration.r#type.as_deref() {
            Some("fluentd") => Self::Fluentd,
            _ => Self::FluentBit,
        }
    }

    /// Returns the option that selects the plugin of an output.
    pub(crate) fn output_option(self) -> &'static str {
        match self {
            Self::FluentBit => "Name",
            Self::Fluentd => "@type",
        }
    }

    /// Returns what is wrong with the name of an option; `None` if it can begin a line without being a section, a
    /// command or a comment.
    fn wrong_key(self, key: &str) -> Option<&'static str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !key.is_empty() && key.chars().all(plain) {
            return None;
        }
        match self {
            Self::FluentBit => {
                let begins = !key.trim_start().starts_with(['@', '[', '#', ';']);
                let filled_later = begins && has_placeholder(key) && is_one_line(key);
                (!filled_later).then_some(PLAIN_OPTION)
            }
            Self::Fluentd => {
                let reserved = fluentd::RESERVED_OPTIONS.contains(&key);
                // Fluentd reads `<NAME>` as a directive.
                let begins = !key.starts_with('<');
                let filled_later = begins && is_one_placeholder(key) && is_one_line(key);
                (!reserved && !filled_later).then_some(
                    "an option has letters, digits, '.', '_' and '-', or is @type, @id, @label or @log_level",
                )
            }
        }
    }

    /// Returns what is wrong with a value that is written into the configuration.
    fn wrong_value(self, value: &str) -> Option<&'static str> {
        if !is_one_line(value) {
            Some("one line of text is needed")
        } else if self == Self::Fluentd && !fluentd::is_literal(value) {
            Some(
                "Fluentd takes a value that begins with a quotation mark, [ or { for quoted text or JSON, and this is \
                 neither: put it in single quotes",
            )
        } else {
            None
        }
    }
}

/// A configuration file of the team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirelensFile {
    /// A path in the router's image.
    Image(String),
    /// The content of an object in S3.
    S3(String),
}

/// Validates `firelensConfiguration`.
pub(crate) fn validate_firelens(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<Firelens> {
    let configuration = raw.firelens_configuration.as_ref()?;
    let path = path.field("firelensConfiguration");
    check_platform(configuration, scope, &path, sink);
    if let Some(first) = routers(scope).next()
        && first.name != raw.name
    {
        let value = raw.name.clone().unwrap_or_default();
        let first = first.name.as_deref().unwrap_or_default();
        let allowed = format!("a task has one log router, and {first} is it");
        sink.report(path.clone(), Message::InvalidValue { value, allowed });
    }
    let program = LogRouter::of(configuration);
    let options = path.field("options");
    let in_s3 = configuration
        .options
        .get(CONFIG_TYPE)
        .is_some_and(|it| it == "s3");
    let mut log_metadata = true;
    let mut config_file = None;
    for (key, value) in &configuration.options {
        let path = options.field(key.clone());
        let allowed = match key.as_str() {
            LOG_METADATA => {
                log_metadata = value != "false";
                let known = matches!(value.as_str(), "true" | "false");
                (!known).then_some("true or false is needed")
            }
            CONFIG_TYPE if matches!(value.as_str(), "file" | "s3") => None,
            CONFIG_TYPE => Some("s3 or file is needed"),
            CONFIG_VALUE if in_s3 => {
                config_file = s3_file(value, scope, path, sink);
                continue;
            }
            CONFIG_VALUE if program.wrong_value(value).is_none() => {
                config_file = Some(FirelensFile::Image(value.clone()));
                None
            }
            CONFIG_VALUE => Some("a path on one line is needed"),
            _ => Some("not an option of FireLens"),
        };
        if let Some(allowed) = allowed {
            let known = matches!(key.as_str(), LOG_METADATA | CONFIG_TYPE | CONFIG_VALUE);
            let value = if known { value } else { key };
            let value = value.escape_debug().to_string();
            let allowed = allowed.to_owned();
            sink.report(path, Message::InvalidValue { value, allowed });
        }
    }
    check_pair(configuration, &options, sink);
    Some(Firelens {
        program,
        log_metadata,
        config_file,
        memory: raw.memory_reservation.or(raw.memory),
    })
}

/// Returns the content of a file in S3. Only `convert` can have it: the operator does not read local files.
fn s3_file(
    arn: &str,
    scope: &Scope<'_>,
    path: FieldPath,
    sink: &mut Diagnostics,
) -> Option<FirelensFile> {
    let text = match scope.settings.mode {
        Mode::Convert => scope.settings.firelens_files.get(arn),
        Mode::Controller => None,
    };
    if text.is_none() {
        let option = shell_word(&format!("{arn}=FILE")).into_owned();
        let arn = arn.to_owned();
        sink.report(path, Message::FirelensS3Config { arn, option });
    }
    text.cloned().map(FirelensFile::S3)
}

/// Checks that a configuration file has both a type and a path.
fn check_pair(
    configuration: &ecs::FirelensConfiguration,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let has = |key| configuration.options.contains_key(key);
    let missing = match (has(CONFIG_TYPE), has(CONFIG_VALUE)) {
        (true, false) => CONFIG_VALUE,
        (false, true) => CONFIG_TYPE,
        _ => return,
    };
    let name = missing.to_owned();
    sink.report(path.field(missing), Message::RequiredField { name });
}

fn check_platform(
    configuration: &ecs::FirelensConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    if let None | Some("") = configuration.r#type.as_deref() {
        let name = "type".to_owned();
        sink.report(path.field("type"), Message::RequiredField { name });
    }
    if scope.eks_fargate {
        sink.report(path.clone(), Message::FirelensOnFargate);
    }
    if scope.windows {
        let field = "firelensConfiguration".to_owned();
        sink.report(path.clone(), Message::WindowsUnsupportedParameter { field });
    }
}

/// Checks the options of a container that logs through FireLens. They become lines of the router's configuration, so an
/// option that could span several lines is rejected.
pub(super) fn check_source(
    raw: &ecs::ContainerDefinition,
    log: &ecs::LogConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let wrong = if raw.firelens_configuration.is_some() {
        Some("the log router cannot send its own logs to itself")
    } else if routers(scope).next().is_none() {
        Some("one container of the task needs firelensConfiguration")
    } else {
        None
    };
    if let Some(allowed) = wrong {
        let value = "awsfirelens".to_owned();
        let allowed = allowed.to_owned();
        let path = path.field("logDriver");
        sink.report(path, Message::InvalidValue { value, allowed });
    }
    let program = routers(scope)
        .next()
        .and_then(|router| router.firelens_configuration.as_ref())
        .map_or(LogRouter::FluentBit, LogRouter::of);
    check_options(log, program, path, sink);
}

fn check_options(
    log: &ecs::LogConfiguration,
    program: LogRouter,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let secrets = log
        .secret_options
        .iter()
        .filter_map(|secret| secret.name.as_deref());
    let names: Vec<&str> = log
        .options
        .keys()
        .map(String::as_str)
        .chain(secrets.clone())
        .collect();
    let output = program.output_option();
    let own = FIRELENS_OWN_OPTIONS;
    // It may become the missing one.
    let is_unknown = |name: &&str| has_placeholder(name);
    if !names.contains(&output)
        && names.iter().any(|name| !own.contains(name))
        && !names.iter().any(is_unknown)
    {
        let name = output.to_owned();
        let path = path.field("options").field(output);
        sink.report(path, Message::RequiredField { name });
    }
    for (key, value) in &log.options {
        let path = path.field("options").field(key.clone());
        let (value, allowed) = if let Some(allowed) = program.wrong_key(key) {
            (key, allowed)
        } else if let Some(allowed) = program.wrong_value(value) {
            (value, allowed)
        } else {
            continue;
        };
        // A message has to stay on one line.
        let (value, allowed) = (value.escape_debug().to_string(), allowed.to_owned());
        sink.report(path, Message::InvalidValue { value, allowed });
    }
    for (index, name) in secrets.enumerate() {
        // The name of a secret option is also the name of a variable.
        let variable = (!is_variable_name(name)).then_some(PLAIN_OPTION);
        let Some(allowed) = program.wrong_key(name).or(variable) else {
            continue;
        };
        let path = path.field("secretOptions").index(index).field("name");
        let (value, allowed) = (name.escape_debug().to_string(), allowed.to_owned());
        sink.report(path, Message::InvalidValue { value, allowed });
    }
}

fn is_one_line(value: &str) -> bool {
    !value.trim().is_empty() && !value.chars().any(char::is_control)
}

fn routers<'a>(scope: &Scope<'a>) -> impl Iterator<Item = &'a ecs::ContainerDefinition> {
    scope
        .request
        .container_definitions
        .iter()
        .filter(|container| container.firelens_configuration.is_some())
}
