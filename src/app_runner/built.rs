//! A service from source code, as the service of the image that a builder has made of it.

use super::root;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Reason, Segment},
    ecs,
    input::AppRunnerInput,
};

const SOURCE: &str = "SourceConfiguration";
const IMAGE: &str = "ImageRepository";
const CONFIGURATION: &str = "ImageConfiguration";

/// Returns the service that runs an image as one from source code runs what is built of that. What the builder needs, such
/// as the URL of the repository, is no part of it.
#[must_use]
pub fn with_image(input: &AppRunnerInput, image: &str) -> AppRunnerInput {
    let mut input = input.clone();
    let source = input.request.source_configuration.get_or_insert_default();
    let code = source.code_repository.take().unwrap_or_default();
    let values = code.code_configuration.unwrap_or_default();
    let values = values.code_configuration_values.unwrap_or_default();
    source.image_repository = Some(ecs::ImageRepository {
        image_identifier: Some(image.to_owned()),
        image_configuration: Some(ecs::ImageConfiguration {
            runtime_environment_variables: values.runtime_environment_variables,
            start_command: values.start_command,
            port: values.port,
            runtime_environment_secrets: values.runtime_environment_secrets,
        }),
        image_repository_type: None,
    });
    input
}

/// Returns the findings about such a service at the members that a service from source code has.
#[must_use]
pub fn of_source(findings: &Diagnostics) -> Diagnostics {
    let mut placed = Diagnostics::new();
    for finding in findings.iter() {
        // App Runner has a registry of its own for what it builds.
        if finding.reason() != Reason::ImageOutsideEcr {
            placed.report_once(of_code(&finding.path), finding.message.clone());
        }
    }
    placed
}

fn of_code(path: &FieldPath) -> FieldPath {
    let is = |segment: Option<&Segment>, name: &str| matches!(segment, Some(Segment::Member(member)) if member == name);
    let segments = path.segments();
    if !is(segments.first(), SOURCE) || !is(segments.get(1), IMAGE) {
        return path.clone();
    }
    if !is(segments.get(2), CONFIGURATION) {
        return root().field("builtBy");
    }
    let code = root().field(SOURCE).field("CodeRepository");
    let values = code.field("CodeConfiguration");
    let values = values.field("CodeConfigurationValues");
    let members = segments.iter().skip(3);
    members.fold(values, |path, segment| path.child(segment.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        app_runner::{of_image, placed, validate_app_runner},
        crd,
        diagnostic::Message,
        settings::Settings,
    };

    fn input(values: serde_json::Value) -> AppRunnerInput {
        let request = json!({
            "ServiceName": "hello",
            "SourceConfiguration": {
                "CodeRepository": {
                    "RepositoryUrl": "https://example.com/a",
                    "CodeConfiguration": {
                        "ConfigurationSource": "API", "CodeConfigurationValues": values,
                    },
                },
                "AutoDeploymentsEnabled": true,
            },
        });
        AppRunnerInput {
            request: serde_json::from_value(request).expect("it is a request"),
            auto_scaling: None,
            extensions: crd::AppRunnerExtensions::default(),
        }
    }

    #[test]
    fn the_image_runs_with_the_settings_of_the_code() {
        let values = json!({
            "Runtime": "PYTHON_311", "BuildCommand": "make", "StartCommand": "python app.py", "Port": "8000",
            "RuntimeEnvironmentVariables": {"STAGE": "prod"},
            "RuntimeEnvironmentSecrets": {"KEY": "site-key"},
        });
        let image = "registry.example.com/site@sha256:0a";
        let input = with_image(&input(values), image);
        let settings = Settings {
            aws_region: Some("eu-west-1".to_owned()),
            ..Settings::default()
        };
        let checked = validate_app_runner(&input, &settings).expect("it is accepted");
        let definition = checked.input.task_definition.request;
        let container = json!(definition.container_definitions[0]);
        assert_eq!(container["image"], image);
        assert_eq!(container["command"], json!(["python", "app.py"]));
        assert_eq!(container["portMappings"], json!([{"containerPort": 8000}]));
        let expected =
            json!([{"name": "PORT", "value": "8000"}, {"name": "STAGE", "value": "prod"}]);
        assert_eq!(container["environment"], expected);
        assert_eq!(container["secrets"][0]["name"], "KEY");
        assert!(checked.notes.has(Reason::ImageOutsideEcr));
        let notes = of_source(&checked.notes);
        assert!(
            !notes.has(Reason::ImageOutsideEcr) && !notes.has(Reason::AutoDeploymentsNotWatched)
        );
    }

    #[test]
    fn findings_are_at_the_members_of_the_code() {
        let values = json!({
            "Port": "0", "StartCommand": "a $B",
            "RuntimeEnvironmentVariables": {"1=": "x"},
        });
        let input = with_image(&input(values), "registry.example.com/site@sha256:0a");
        let errors = validate_app_runner(&input, &Settings::default()).expect_err("it is wrong");
        let mut findings = placed(&errors, &input);
        findings.report(of_image("ImageIdentifier"), Message::TaskCountRange);
        findings.report(root().field("Tags"), Message::XRayNotConfigured);
        let findings = of_source(&findings);
        let mut paths: Vec<String> = findings.iter().map(|it| it.path.to_string()).collect();
        paths.sort();
        let values = "SourceConfiguration.CodeRepository.CodeConfiguration.CodeConfigurationValues";
        let expected = [
            format!("{values}.Port"),
            format!("{values}.RuntimeEnvironmentVariables[\"1=\"]"),
            "Tags".to_owned(),
            "builtBy".to_owned(),
        ];
        assert_eq!(paths, expected);
    }
}
