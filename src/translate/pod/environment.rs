//! Environment variables and environment files.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, Secret, SecretEnvSource};

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::{Context, LABEL_LENGTH, Object, escape_dollars, kname, names::hex_digest},
    validate::{Container, Environment, EnvironmentFile},
};

/// What Fargate sets in every container.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Adds variables, and Secrets with the contents of environment files.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    for source in &cx.task_definition.containers {
        let Environment {
            variables,
            replaced,
            files,
        } = &source.environment;
        let path = path(source.index);
        for (index, name) in replaced {
            let name = name.clone();
            notes.report(
                path.field("environment").index(*index).field("name"),
                Message::DuplicateEnvironmentName { name },
            );
        }
        let mut env: Vec<EnvVar> = variables
            .iter()
            .map(|(name, value)| EnvVar {
                name: name.clone(),
                value: Some(escape_dollars(value).into_owned()),
                value_from: None,
            })
            .collect();
        env.extend(region(cx, source));
        for file in files {
            notes.report(
                path.field("environmentFiles")
                    .index(file.index)
                    .field("value"),
                Message::EnvironmentFileSnapshot,
            );
            draft.objects.push(Object::Secret(secret(cx, file)));
        }
        // The first file wins in ECS, the last source in Kubernetes.
        let from: Vec<EnvFromSource> = files.iter().rev().map(|file| env_from(cx, file)).collect();
        if let Some(container) = draft.container_mut(source.index) {
            container.env = (!env.is_empty()).then_some(env);
            container.env_from = (!from.is_empty()).then_some(from);
        }
    }
}

fn region<'a>(cx: &'a Context<'_>, source: &'a Container) -> impl Iterator<Item = EnvVar> + 'a {
    let defined = |name: &str| {
        source
            .environment
            .variables
            .iter()
            .any(|(other, _)| other == name)
            || source.secrets.iter().any(|secret| secret.name == name)
    };
    let region = cx
        .settings
        .aws_region
        .as_ref()
        .filter(|_| cx.task_definition.fargate);
    region.into_iter().flat_map(move |region| {
        REGION_VARIABLES
            .iter()
            .filter(move |name| !defined(name))
            .map(|name| EnvVar {
                name: (*name).to_owned(),
                value: Some(region.clone()),
                value_from: None,
            })
    })
}

fn secret_name(cx: &Context<'_>, file: &EnvironmentFile) -> String {
    kname(
        &format!("{}-envfile-{}", cx.name(), hex_digest(&file.arn, 8)),
        LABEL_LENGTH,
    )
}

fn secret(cx: &Context<'_>, file: &EnvironmentFile) -> Secret {
    let data: BTreeMap<String, String> = file.variables.iter().cloned().collect();
    Secret {
        metadata: cx.metadata(secret_name(cx, file)),
        string_data: (!data.is_empty()).then_some(data),
        ..Secret::default()
    }
}

fn env_from(cx: &Context<'_>, file: &EnvironmentFile) -> EnvFromSource {
    EnvFromSource {
        secret_ref: Some(SecretEnvSource {
            name: secret_name(cx, file),
            optional: None,
        }),
        ..EnvFromSource::default()
    }
}

#[cfg(test)]
mod tests {
    use crate::translate::testing::{Scenario, yaml};

    fn definition(container: &str) -> String {
        format!(
            r#"{{"family": "web", "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64, {container}}}]}}"#
        )
    }

    #[test]
    fn the_last_of_two_variables_wins() {
        let outcome = Scenario::service(definition(
            r#""environment": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "$(B)"}]"#,
        ))
        .run();
        assert_eq!(
            outcome.container("web")["env"],
            yaml("[{name: B, value: ''}, {name: A, value: '$$(B)'}]")
        );
        assert!(outcome.has("DuplicateEnvironmentName"));
    }

    #[test]
    fn the_first_of_two_files_wins() {
        let outcome = Scenario::service(definition(
            r#""environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}, {"type": "s3", "value": "arn:aws:s3:::b/b.env"}]"#,
        ))
        .settings(|settings| {
            for (name, text) in [("a", "X=1\n"), ("b", "X=2\nY=3\n")] {
                settings.environment_files.insert(format!("arn:aws:s3:::b/{name}.env"), text.to_owned());
            }
        })
        .run();
        let from: Vec<&str> = outcome.container("web")["envFrom"]
            .as_array()
            .unwrap()
            .iter()
            .map(|source| source["secretRef"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            outcome.object("Secret", from[0])["stringData"],
            yaml("{X: '2', Y: '3'}")
        );
        assert_eq!(
            outcome.object("Secret", from[1])["stringData"],
            yaml("{X: '1'}")
        );
    }

    #[test]
    fn fargate_has_its_region() {
        let fargate = r#"{"family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "web", "image": "nginx", "environment": [{"name": "AWS_REGION", "value": "own"}]}]}"#;
        let outcome = Scenario::service(fargate)
            .settings(|settings| settings.aws_region = Some("eu-west-1".to_owned()))
            .run();
        assert_eq!(
            outcome.container("web")["env"],
            yaml("[{name: AWS_REGION, value: own}, {name: AWS_DEFAULT_REGION, value: eu-west-1}]")
        );
    }

    #[test]
    fn wrong_variables_are_rejected() {
        for (container, reason) in [
            (
                r#""environment": [{"name": "A=B", "value": "1"}]"#,
                "InvalidEnvironmentName",
            ),
            (
                r#""environment": [{"name": "", "value": "1"}]"#,
                "InvalidEnvironmentName",
            ),
            (
                r#""environment": [{"name": "A"}], "secrets": [{"name": "A", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/a"}]"#,
                "SecretEnvNameConflict",
            ),
            (
                r#""environmentFiles": [{"type": "s3", "value": "https://b/a.env"}]"#,
                "InvalidValue",
            ),
            (
                r#""environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}]"#,
                "EnvironmentFileUnavailable",
            ),
        ] {
            let rejections = Scenario::service(definition(container))
                .convert()
                .rejections();
            assert!(
                rejections.iter().any(|line| line.contains(reason)),
                "{reason}: {rejections:?}"
            );
        }
    }
}
