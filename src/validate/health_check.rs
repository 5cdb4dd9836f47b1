//! Container health checks and restart policies.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::{Scope, arn::has_placeholder};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// A container health check with ECS's defaults filled in. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The argument vector that the probe runs; `CMD-SHELL` is already replaced by the platform's shell.
    pub command: Vec<String>,
    /// Seconds between checks.
    pub interval: i64,
    /// Seconds until a check counts as failed.
    pub timeout: i64,
    /// Whether the command has neither `CMD` nor `CMD-SHELL` before it.
    pub bare: bool,
    /// Consecutive failures that make the container unhealthy.
    pub retries: i64,
    /// Seconds after the start in which failures do not count.
    pub start_period: i64,
}

/// An enabled container restart policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Exit codes that do not cause a restart.
    pub ignored_exit_codes: Vec<i64>,
    /// `restartAttemptPeriod` in seconds, if it is stated.
    pub attempt_period: Option<i64>,
}

/// Whether `raw` has a health check that ECS runs.
pub(crate) fn has_health_check(raw: &ecs::ContainerDefinition) -> bool {
    raw.health_check
        .as_ref()
        .and_then(|check| check.command.first())
        .is_some_and(|first| first != "NONE")
}

/// Validates `healthCheck`; returns `None` for `["NONE"]`.
///
/// The reader rejects numbers out of range; here they are clamped, so that nothing divides by zero.
pub(crate) fn validate_health_check(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<HealthCheck> {
    let raw = raw.health_check.as_ref()?;
    let command = match argument_vector(&raw.command, scope.windows) {
        Ok(command) => command?,
        Err(message) => {
            sink.report(path.field("healthCheck").field("command"), message);
            return None;
        }
    };
    use ecs::HealthCheck as Raw;
    let begin = raw.command.first().map(String::as_str);
    Some(HealthCheck {
        bare: !matches!(begin, Some("CMD" | "CMD-SHELL")),
        command,
        interval: within(&Raw::INTERVAL_RANGE, raw.interval, Raw::DEFAULT_INTERVAL),
        timeout: within(&Raw::TIMEOUT_RANGE, raw.timeout, Raw::DEFAULT_TIMEOUT),
        retries: within(&Raw::RETRIES_RANGE, raw.retries, Raw::DEFAULT_RETRIES),
        start_period: within(&Raw::START_PERIOD_RANGE, raw.start_period, 0),
    })
}

/// A number or its default. The reader has rejected those out of range, but a request may be made by hand.
fn within(range: &RangeInclusive<i64>, value: Option<i64>, default: i64) -> i64 {
    value.unwrap_or(default).clamp(*range.start(), *range.end())
}

/// Returns what the probe runs: `None` for `NONE`, or an error if there is no command, or one that is not split.
///
/// `CMD-SHELL` is one string for the container's default shell: `/bin/sh -c` on Linux, `cmd /S /C` on Windows, as in
/// Docker. Without either word, the list is run as it is.
fn argument_vector(command: &[String], windows: bool) -> Result<Option<Vec<String>>, Message> {
    let rest = command.get(1..).unwrap_or_default();
    let vector = match command.first().map(String::as_str) {
        None => return Err(no_command("an empty list".to_owned())),
        Some("NONE") => return Ok(None),
        Some("CMD") => rest.to_vec(),
        Some("CMD-SHELL") if rest.is_empty() => Vec::new(),
        Some("CMD-SHELL") => {
            let shell: &[&str] = if windows {
                &["cmd", "/S", "/C"]
            } else {
                &["/bin/sh", "-c"]
            };
            let shell = shell.iter().map(|word| (*word).to_owned());
            shell.chain(rest.iter().cloned()).collect()
        }
        Some(_) if !is_program(command) => return Err(one_word(command)),
        Some(_) => command.to_vec(),
    };
    if vector.is_empty() {
        Err(no_command(command.join(" ")))
    } else {
        Ok(Some(vector))
    }
}

fn no_command(value: String) -> Message {
    Message::InvalidValue {
        value,
        allowed: "must be a command after CMD or CMD-SHELL, or NONE alone".to_owned(),
    }
}

/// Whether the first word of a command without `CMD` before it may name a program. It does not if it is a whole command
/// line, a list written as text, or a misspelled `CMD-SHELL`. ECS accepts these, and Docker then runs no check.
///
/// A program with arguments may have a blank in its path.
fn is_program(command: &[String]) -> bool {
    let first = command.first().map_or("", String::as_str);
    let text = command.join(" ");
    if first.is_empty() || begins_with_cmd(first) || listed(&text).is_some_and(begins_with_cmd) {
        return false;
    }
    let has_mark =
        |text: &str| text.contains(|c| is_separator(c) || matches!(c, '"' | '[' | ']' | '\''));
    // What fills a placeholder at the beginning may be CMD.
    command.len() > 1
        || !has_mark(first)
        || (has_placeholder(first) && !has_mark(before_placeholder(first)))
}

/// Returns the text up to the first character that may open a placeholder.
fn before_placeholder(text: &str) -> &str {
    let end = text.find(['<', '{', '%', '$']).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || c == ','
}

/// Whether a text is `CMD-SHELL` in any case, or begins with it or `CMD` and something that separates words.
fn begins_with_cmd(text: &str) -> bool {
    text.eq_ignore_ascii_case("CMD-SHELL") || after_cmd(text).is_some()
}

/// Returns the command line after `CMD-SHELL` or `CMD`, which may be quoted, and a separator.
fn after_cmd(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let text = quote.map_or(text, |_| text.get(1..).unwrap_or_default());
    ["CMD-SHELL", "CMD"].into_iter().find_map(|word| {
        let begin = text.get(..word.len())?;
        let rest = text.get(word.len()..)?;
        let rest = quote.map_or(Some(rest), |quote| rest.strip_prefix(quote))?;
        // `cmd` is the shell of Windows.
        let is_word = begin == word || (word != "CMD" && begin.eq_ignore_ascii_case(word));
        let fits = is_word && rest.starts_with(is_separator);
        fits.then(|| rest.trim_start_matches(is_separator))
    })
}

/// Returns what is between the brackets of a list as text, which the console shows as `["CMD-SHELL", "command"]`. The
/// brackets of a shell's test have blanks beside them.
fn listed(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let is_list = inner.starts_with(['"', '\'']) || begins_with_cmd(inner.trim_start());
    is_list.then(|| inner.trim())
}

/// Returns a text without the quotes around the whole of it.
fn unquoted(text: &str) -> &str {
    let inner = |quote: char| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    };
    inner('"').or_else(|| inner('\'')).unwrap_or(text).trim()
}

/// Returns the error for a command that is not split, with the form that runs it.
fn one_word(command: &[String]) -> Message {
    let text = command.join(" ");
    let trimmed = text.trim();
    let words: Vec<String> = listed(trimmed)
        .and_then(|list| serde_json::from_str(&format!("[{list}]")).ok())
        .unwrap_or_default();
    let words = match words.as_slice() {
        [word, _, ..] if word == "CMD" => words,
        [word, line @ ..] if word.eq_ignore_ascii_case("CMD-SHELL") => in_shell(&line.join(" ")),
        [_, ..] => in_shell(&words.join(" ")),
        [] => {
            let line = listed(trimmed).unwrap_or(trimmed);
            in_shell(unquoted(after_cmd(unquoted(line)).unwrap_or(line)))
        }
    };
    // Texts in JSON have the form of ECS.
    let words = words.into_iter().map(|word| Value::from(word).to_string());
    Message::HealthCheckIsOneWord {
        value: text,
        form: format!("[{}]", words.collect::<Vec<_>>().join(", ")),
    }
}

fn in_shell(line: &str) -> Vec<String> {
    ["CMD-SHELL", line].map(str::to_owned).into()
}

/// Validates `restartPolicy`; returns `None` if it is not enabled.
///
/// The reader rejects exit codes out of range; no process can exit with one.
pub(crate) fn validate_restart(
    raw: &ecs::ContainerDefinition,
    _scope: &Scope<'_>,
    _path: &FieldPath,
    _sink: &mut Diagnostics,
) -> Option<Restart> {
    let raw = raw.restart_policy.as_ref()?;
    let ignored = raw.ignored_exit_codes.iter().copied();
    (raw.enabled == Some(true)).then(|| Restart {
        // Kubernetes accepts each code only once.
        ignored_exit_codes: ignored.filter(|code| (0..=255).contains(code)).fold(
            Vec::new(),
            |mut codes, code| {
                if !codes.contains(&code) {
                    codes.push(code);
                }
                codes
            },
        ),
        attempt_period: raw.restart_attempt_period,
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        diagnostic::Reason,
        translate::testing::{Scenario, yaml},
    };

    fn checked(command: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "w", "containerDefinitions": [
                {{"name": "a", "image": "a", "memory": 64, "healthCheck": {{"command": {command}}}}}]}}"#
        ))
    }

    #[test]
    fn a_command_that_is_not_split_is_rejected_with_the_right_form() {
        let right = r#"write ["CMD-SHELL", "curl -f http://localhost/ || exit 1"]"#;
        for command in [
            r#"["CMD-SHELL curl -f http://localhost/ || exit 1"]"#,
            r#"["CMD-SHELL, curl -f http://localhost/ || exit 1"]"#,
            r#"["curl -f http://localhost/ || exit 1"]"#,
            r#"["cmd-shell", "curl -f http://localhost/ || exit 1"]"#,
            r#"["CMD-SHELL,", "curl", "-f", "http://localhost/", "||", "exit", "1"]"#,
            r#"["[ \"CMD-SHELL\", \"curl -f http://localhost/ || exit 1\" ]"]"#,
            r#"["[", "\"CMD-SHELL\",", "\"curl", "-f", "http://localhost/", "||", "exit", "1\"", "]"]"#,
            r#"["CMD curl -f http://localhost/ || exit 1"]"#,
            r#"["[\"CMD-SHELL\",\"curl\",\"-f\",\"http://localhost/\",\"|| exit 1\"]"]"#,
            r#"["\"CMD-SHELL\", \"curl -f http://localhost/ || exit 1\""]"#,
            r#"["['CMD-SHELL', 'curl -f http://localhost/ || exit 1']"]"#,
            r#"["[CMD-SHELL, curl -f http://localhost/ || exit 1]"]"#,
            r#"["'curl -f http://localhost/ || exit 1'"]"#,
            r#"["CMD-SHELL 'curl -f http://localhost/ || exit 1'"]"#,
        ] {
            let rejections = checked(command).rejections();
            assert_eq!(rejections.len(), 1, "{command}");
            let reason = "healthCheck.command: HealthCheckIsOneWord: ";
            assert!(rejections[0].contains(reason), "{rejections:?}");
            assert!(rejections[0].ends_with(right), "{rejections:?}");
        }
    }

    #[test]
    fn the_quotes_and_brackets_of_a_command_stay() {
        for (command, right) in [
            ("[ -f /tmp/ready ]", r#"["CMD-SHELL", "[ -f /tmp/ready ]"]"#),
            (r#"[ \"$A\" = b ]"#, r#"["CMD-SHELL", "[ \"$A\" = b ]"]"#),
            (
                r#"curl -f \"http://localhost/\""#,
                r#"["CMD-SHELL", "curl -f \"http://localhost/\""]"#,
            ),
            ("cmd /C check.bat", r#"["CMD-SHELL", "cmd /C check.bat"]"#),
            ("pgrep -f 'my app'", r#"["CMD-SHELL", "pgrep -f 'my app'"]"#),
            (
                r#"\"/opt/my app\" -f \"a\""#,
                r#"["CMD-SHELL", "\"/opt/my app\" -f \"a\""]"#,
            ),
            (
                r#"[\"CMD\", \"pgrep\", \"my app\"]"#,
                r#"["CMD", "pgrep", "my app"]"#,
            ),
        ] {
            let rejections = checked(&format!(r#"["{command}"]"#)).rejections();
            assert_eq!(rejections.len(), 1, "{command}");
            let right = format!("write {right}");
            assert!(rejections[0].ends_with(&right), "{rejections:?}");
        }
    }

    #[test]
    fn a_program_may_have_a_blank_in_its_path_and_a_placeholder_may_become_cmd() {
        for command in [
            r#"["/opt/my app/check", "-v"]"#,
            r#"["C:\\Program Files\\x\\check.exe", "-v"]"#,
            r#"["[", "-f", "/tmp/ready", "]"]"#,
            r#"["{{ HC }}", "a"]"#,
            r#"["<HC COMMAND>"]"#,
            r#"["${HC_TYPE}", "curl x"]"#,
        ] {
            let reasons = [Reason::HealthCheckWithoutCmd];
            assert_eq!(
                checked(command).run().notes_of(&reasons).len(),
                1,
                "{command}"
            );
        }
    }

    #[test]
    fn a_command_without_cmd_is_run_with_a_warning() {
        let reasons = [Reason::HealthCheckWithoutCmd];
        for (command, warned) in [
            (r#"["/bin/check", "a b"]"#, true),
            (r#"["CMD", "/bin/check", "a b"]"#, false),
        ] {
            let outcome = checked(command).run();
            let probe = &outcome.container("a")["livenessProbe"]["exec"]["command"];
            assert_eq!(*probe, yaml(r#"["/bin/check", "a b"]"#));
            let path = "containerDefinitions[0].healthCheck.command: HealthCheckWithoutCmd";
            let expected: &[&str] = if warned { &[path] } else { &[] };
            assert_eq!(outcome.notes_of(&reasons), expected);
        }
        let cmd_of_windows = checked(r#"["cmd", "/C", "check.bat"]"#).run();
        assert_eq!(cmd_of_windows.notes_of(&reasons).len(), 1);
    }
}
