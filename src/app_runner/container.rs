//! The container of an App Runner service: its image, port, environment and command.

use std::collections::BTreeMap;

use super::{image_configuration, image_repository, of_configuration, of_image};
use crate::{
    diagnostic::{Diagnostics, Message},
    ecs,
    image::is_private_ecr,
    input::AppRunnerInput,
};

/// The environment variable in which a program finds its port
/// (<https://docs.aws.amazon.com/apprunner/latest/dg/develop.html>).
pub(super) const PORT: &str = "PORT";

/// What the names of variables must not begin with
/// (<https://docs.aws.amazon.com/apprunner/latest/api/API_ImageConfiguration.html>).
const RESERVED: &str = "AWSAPPRUNNER";

/// The characters that mean something to a shell. Quotation marks and `\` are read as a shell reads them.
const OF_SHELLS: &[char] = &['$', '`', '|', '&', ';', '<', '>', '*', '?', '~', '(', ')'];

/// Returns the port that the program listens on; the default in place of what is no port.
pub(super) fn port(request: &ecs::AppRunnerService, sink: &mut Diagnostics) -> i64 {
    let given = image_configuration(request).and_then(|it| it.port.as_deref());
    let text = given.unwrap_or(ecs::ImageConfiguration::DEFAULT_PORT);
    match text.parse::<u16>() {
        Ok(port) if port > 0 => i64::from(port),
        _ => {
            let message = Message::InvalidValue {
                value: text.to_owned(),
                allowed: "must be 1 to 65535".to_owned(),
            };
            sink.report(of_configuration("Port"), message);
            8080
        }
    }
}

/// Returns the container without its size.
pub(super) fn container(
    input: &AppRunnerInput,
    name: &str,
    port: i64,
    sink: &mut Diagnostics,
) -> ecs::ContainerDefinition {
    let request = &input.request;
    let image = image_repository(request).and_then(|it| it.image_identifier.clone());
    if image.as_deref().is_some_and(is_elsewhere) {
        sink.report(of_image("ImageIdentifier"), Message::ImageOutsideEcr);
    }
    check_names(request, port, sink);
    let variables = variables(request, port).into_iter();
    let secrets = image_configuration(request).map(|it| &it.runtime_environment_secrets);
    let secrets = secrets.into_iter().flatten();
    ecs::ContainerDefinition {
        name: Some(name.to_owned()),
        image,
        essential: Some(true),
        command: command(request, sink),
        environment: variables
            .map(|(name, value)| ecs::KeyValuePair {
                name: Some(name),
                value: Some(value),
            })
            .collect(),
        secrets: secrets
            .map(|(name, value)| ecs::Secret {
                name: Some(name.clone()),
                value_from: Some(value.clone()),
            })
            .collect(),
        port_mappings: vec![ecs::PortMapping {
            container_port: Some(port),
            ..ecs::PortMapping::default()
        }],
        ..ecs::ContainerDefinition::default()
    }
}

/// Returns the environment variables in the order of their names, with that of the port.
pub(super) fn variables(request: &ecs::AppRunnerService, port: i64) -> BTreeMap<String, String> {
    let given = image_configuration(request).map(|it| &it.runtime_environment_variables);
    let mut variables = given.cloned().unwrap_or_default();
    variables.insert(PORT.to_owned(), port.to_string());
    variables
}

/// Whether an image is neither in ECR nor in ECR Public. What a placeholder stands for is not known.
fn is_elsewhere(image: &str) -> bool {
    let is_open = image.contains(['<', '$', '{']);
    !is_open && !is_private_ecr(image) && !image.starts_with("public.ecr.aws/")
}

/// Rejects the names of variables and secrets that App Runner sets itself.
fn check_names(request: &ecs::AppRunnerService, port: i64, sink: &mut Diagnostics) {
    let Some(image) = image_configuration(request) else {
        return;
    };
    let variables = &image.runtime_environment_variables;
    let secrets = &image.runtime_environment_secrets;
    for (map, member) in [
        (variables, "RuntimeEnvironmentVariables"),
        (secrets, "RuntimeEnvironmentSecrets"),
    ] {
        for (name, value) in map {
            let allowed = if name.starts_with(RESERVED) {
                "names that begin with AWSAPPRUNNER are those of App Runner".to_owned()
            } else if name == PORT && *value != port.to_string() {
                format!("App Runner sets PORT to {port}, the value of Port: remove this")
            } else {
                continue;
            };
            let path = of_configuration(member).field(name.clone());
            let value = name.clone();
            sink.report(path, Message::InvalidValue { value, allowed });
        }
    }
}

/// Returns the words of the command. Whether App Runner gives it to a shell is not documented; images need not have one.
fn command(request: &ecs::AppRunnerService, sink: &mut Diagnostics) -> Vec<String> {
    let Some(line) = image_configuration(request).and_then(|it| it.start_command.as_deref()) else {
        return Vec::new();
    };
    let path = of_configuration("StartCommand");
    let Some(words) = shlex::split(line) else {
        let message = Message::InvalidValue {
            value: line.to_owned(),
            allowed: "a quotation mark or a \\ at its end has no partner".to_owned(),
        };
        sink.report(path, message);
        return Vec::new();
    };
    if !starts_shell(&words)
        && let Some(what) = line.chars().find(|letter| OF_SHELLS.contains(letter))
    {
        let what = what.to_string();
        sink.report(path, Message::StartCommandSplit { what });
    }
    words
}

/// Whether a command gives a line to a shell itself.
fn starts_shell(words: &[String]) -> bool {
    let program = words.first().map(String::as_str).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    let is_shell = matches!(program, "sh" | "bash" | "ash" | "dash" | "zsh");
    is_shell && words.iter().any(|word| word == "-c" || word == "-lc")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Reason;

    fn of(line: &str) -> (Vec<String>, Vec<Reason>) {
        let request = serde_json::json!({
            "SourceConfiguration": {"ImageRepository": {"ImageConfiguration": {"StartCommand": line}}},
        });
        let request = serde_json::from_value(request).unwrap();
        let mut sink = Diagnostics::new();
        let words = command(&request, &mut sink);
        (words, sink.iter().map(|it| it.reason()).collect())
    }

    #[test]
    fn a_command_is_split_as_a_shell_does_and_what_only_a_shell_knows_is_told() {
        for (line, words, reasons) in [
            ("python app.py", &["python", "app.py"][..], &[][..]),
            ("  a   b ", &["a", "b"], &[]),
            ("a 'b c' d\\ e \"f g\"", &["a", "b c", "d e", "f g"], &[]),
            ("a ''", &["a", ""], &[]),
            (
                "gunicorn -b 0.0.0.0:$PORT",
                &["gunicorn", "-b", "0.0.0.0:$PORT"],
                &[Reason::StartCommandSplit],
            ),
            ("a && b", &["a", "&&", "b"], &[Reason::StartCommandSplit]),
            ("sh -c 'a && b > c'", &["sh", "-c", "a && b > c"], &[]),
            (
                "/bin/bash -lc \"a | b\"",
                &["/bin/bash", "-lc", "a | b"],
                &[],
            ),
            ("a 'b", &[], &[Reason::InvalidValue]),
            ("a \\", &[], &[Reason::InvalidValue]),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(of(line), (words, reasons.to_vec()), "{line}");
        }
    }
}
