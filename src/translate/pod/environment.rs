//! Environment variables and environment files.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, Secret, SecretEnvSource};

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, Object, escape_dollars, names::hex_digest},
    validate::{Certainty, Container, Environment, EnvironmentFile, Region},
};

/// The variables that ECS sets in every container: on Fargate, and since April 2026 with the agent of instances
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-environment-variables.html>,
/// <https://github.com/aws/amazon-ecs-agent/pull/4946>).
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Adds variables, and Secrets with the contents of environment files.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    report_region(cx, notes);
    let mut snapshot_said = false;
    for source in &cx.task_definition.containers {
        let Environment {
            variables,
            replaced,
            files,
        } = &source.environment;
        let path = path(source.index);
        for (index, name) in replaced {
            let path = path.field("environment").index(*index).field("name");
            let name = name.clone();
            notes.report(path, Message::DuplicateEnvironmentName { name });
        }
        if !files.is_empty() && !snapshot_said {
            snapshot_said = true;
            let path = path.field("environmentFiles");
            notes.report(path, Message::EnvironmentFileSnapshot);
        }
        let plain = variables.iter().map(|(name, value)| EnvVar {
            name: name.clone(),
            value: Some(escape_dollars(value).into_owned()),
            value_from: None,
        });
        let env: Vec<EnvVar> = plain.chain(region(cx, source)).collect();
        // In ECS the first file has precedence, in Kubernetes the last source.
        let env_from: Vec<EnvFromSource> = files.iter().rev().map(|f| env_from(cx, f)).collect();
        for file in files {
            draft.objects.push(Object::Secret(secret(cx, file)));
        }
        if let Some(container) = draft.container_mut(source.index) {
            container.env = (!env.is_empty()).then_some(env);
            container.env_from = (!env_from.is_empty()).then_some(env_from);
        }
    }
}

/// Returns the region, unless the container sets it itself.
fn region<'a>(cx: &'a Context<'_>, source: &'a Container) -> impl Iterator<Item = EnvVar> + 'a {
    region_of_variables(cx).into_iter().flat_map(move |region| {
        let names = REGION_VARIABLES.iter();
        let names = names.filter(move |name| !defines(source, name));
        names.map(|name| EnvVar {
            name: (*name).to_owned(),
            value: Some(escape_dollars(&region.name).into_owned()),
            value_from: None,
        })
    })
}

/// Whether a container has a variable of this name.
fn defines(source: &Container, name: &str) -> bool {
    let secret = || source.secrets.iter().any(|secret| secret.name == name);
    source.environment.defines(name) || secret()
}

/// Returns the region for the variables of containers. An assumed region is used only on Fargate, where ECS has always
/// set them.
fn region_of_variables<'a>(cx: &'a Context<'_>) -> Option<&'a Region> {
    let region = cx.task_definition.region.as_ref();
    region.filter(|region| region.certainty == Certainty::Given || cx.task_definition.fargate)
}

/// Reports that the region of the variables is assumed, or that variables are missing that Fargate would set: SDKs fail
/// without them (<https://github.com/aws/containers-roadmap/issues/1611>).
fn report_region(cx: &Context<'_>, notes: &mut Diagnostics) {
    let definition = cx.task_definition;
    let lacks = |source: &Container| REGION_VARIABLES.iter().any(|name| !defines(source, name));
    if !definition.fargate || !definition.containers.iter().any(lacks) {
        return;
    }
    let path = FieldPath::root(Subject::TaskDefinition).field("containerDefinitions");
    match &definition.region {
        None => notes.report(path, Message::RegionVariablesMissing),
        Some(region) if region.certainty == Certainty::Assumed => {
            let region = region.name.clone();
            notes.report(path, Message::RegionVariablesAssumed { region });
        }
        Some(_) => {}
    }
}

/// Returns the name of the Secret of a file. It may be longer than a label.
fn secret_name(cx: &Context<'_>, file: &EnvironmentFile) -> String {
    format!("{}-envfile-{}", cx.object_name(), hex_digest(&file.arn, 8))
}

fn secret(cx: &Context<'_>, file: &EnvironmentFile) -> Secret {
    let EnvironmentFile {
        index: _,
        arn: _,
        variables,
    } = file;
    Secret {
        metadata: cx.metadata(secret_name(cx, file)),
        string_data: (!variables.is_empty()).then(|| variables.clone()),
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
    use crate::{
        settings::Settings,
        translate::testing::{Scenario, yaml},
    };

    const FARGATE: &str = r#", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512""#;

    /// Returns a service of one container with these members; the task definition also has `rest`.
    fn web(members: &str, rest: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64{members}}}]{rest}}}"#
        ))
    }

    /// Sets the contents of `arn:aws:s3:::b/<name>.env`.
    fn files(files: &[(&str, &str)]) -> impl Fn(&mut Settings) {
        let files: Vec<(String, String)> = files
            .iter()
            .map(|(name, text)| (format!("arn:aws:s3:::b/{name}.env"), (*text).to_owned()))
            .collect();
        move |settings| settings.environment_files.extend(files.iter().cloned())
    }

    #[test]
    fn the_last_of_two_variables_wins() {
        let outcome = web(
            r#", "environment": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "a.b-c d", "value": "$HOME"}, {"name": "A", "value": "$(B)"}]"#,
            "",
        )
        .run();
        assert_eq!(
            outcome.container("web")["env"],
            yaml(
                "[{name: B, value: ''}, {name: a.b-c d, value: $HOME}, {name: A, value: '$$(B)'}]"
            )
        );
        assert_eq!(
            outcome.warnings(),
            ["containerDefinitions[0].environment[0].name: DuplicateEnvironmentName"]
        );
    }

    #[test]
    fn the_first_of_two_files_wins() {
        let outcome = web(
            r#", "environment": [{"name": "X", "value": "own"}], "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}, {"type": "s3", "value": "arn:aws:s3:::b/b.env"}]"#,
            "",
        )
        .settings(files(&[("a", "X=$(1)\n"), ("b", "X=2\nY=3\n")]))
        .run();
        // The first digits of the SHA-256 of the ARNs.
        let (a, b) = ("web-envfile-dfa32772", "web-envfile-a9ac044b");
        assert_eq!(
            outcome.container("web")["envFrom"],
            yaml(&format!(
                "[{{secretRef: {{name: {b}}}}}, {{secretRef: {{name: {a}}}}}]"
            ))
        );
        assert_eq!(
            outcome.container("web")["env"],
            yaml("[{name: X, value: own}]")
        );
        for (name, data) in [(a, "{X: '$(1)'}"), (b, "{X: '2', Y: '3'}")] {
            assert_eq!(outcome.object("Secret", name)["stringData"], yaml(data));
        }
        assert_eq!(
            outcome.warnings(),
            ["containerDefinitions[0].environmentFiles: EnvironmentFileSnapshot"]
        );
    }

    #[test]
    fn containers_share_a_file() {
        let container = |name: &str| {
            format!(
                r#"{{"name": "{name}", "image": "i", "memory": 64, "environmentFiles": [{{"type": "s3", "value": "arn:aws:s3:::b/a.env"}}]}}"#
            )
        };
        let outcome = Scenario::service(format!(
            r#"{{"family": "web", "networkMode": "awsvpc", "containerDefinitions": [{}, {}]}}"#,
            container("a"),
            container("b")
        ))
        .settings(files(&[("a", "# nothing yet\n")]))
        .run();
        assert_eq!(outcome.objects_of("Secret").len(), 1);
        assert!(outcome.objects_of("Secret")[0]["stringData"].is_null());
        assert_eq!(
            outcome.container("a")["envFrom"],
            outcome.container("b")["envFrom"]
        );
        let snapshots = outcome.notes();
        let snapshots = snapshots.iter().filter(|line| line.contains("Snapshot"));
        assert_eq!(snapshots.count(), 1);
    }

    #[test]
    fn containers_have_their_region() {
        let region = |settings: &mut Settings| settings.aws_region = Some("eu-west-1".to_owned());
        let file = r#", "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}]"#;
        for (members, rest, env) in [
            (
                "",
                FARGATE,
                "[{name: AWS_REGION, value: eu-west-1}, {name: AWS_DEFAULT_REGION, value: eu-west-1}]",
            ),
            (
                r#", "environment": [{"name": "AWS_REGION", "value": "own"}]"#,
                FARGATE,
                "[{name: AWS_REGION, value: own}, {name: AWS_DEFAULT_REGION, value: eu-west-1}]",
            ),
            (file, FARGATE, "[{name: AWS_REGION, value: eu-west-1}]"),
            (
                "",
                "",
                "[{name: AWS_REGION, value: eu-west-1}, {name: AWS_DEFAULT_REGION, value: eu-west-1}]",
            ),
        ] {
            let outcome = web(members, rest)
                .settings(files(&[("a", "AWS_DEFAULT_REGION=own")]))
                .settings(region)
                .run();
            assert_eq!(outcome.container("web")["env"], yaml(env), "{members}");
        }
        let unknown = web("", FARGATE).run();
        assert!(unknown.container("web")["env"].is_null());
        assert_eq!(
            unknown.warnings(),
            ["containerDefinitions: RegionVariablesMissing"]
        );
        let logs = r#", "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "eu-west-3", "awslogs-stream-prefix": "p"}}"#;
        let assumed = web(logs, FARGATE).run();
        assert_eq!(
            assumed.container("web")["env"],
            yaml(
                "[{name: AWS_REGION, value: eu-west-3}, {name: AWS_DEFAULT_REGION, value: eu-west-3}]"
            )
        );
        let warning = "containerDefinitions: RegionVariablesAssumed".to_owned();
        assert!(assumed.warnings().contains(&warning));
        assert!(web(logs, "").run().container("web")["env"].is_null());
    }

    #[test]
    fn wrong_variables_are_rejected() {
        let variable = "environment[0].name";
        let file = "environmentFiles[0].value";
        let from =
            |arn: &str| format!(r#", "environmentFiles": [{{"type": "s3", "value": "{arn}"}}]"#);
        for (members, rejection) in [
            (
                r#", "environment": [{"name": "A=B", "value": "1"}]"#.to_owned(),
                format!("{variable}: InvalidEnvironmentName: A=B is not a valid environment variable name; rename the variable with letters, digits and _"),
            ),
            (
                r#", "environment": [{"name": "Größe", "value": "1"}]"#.to_owned(),
                format!("{variable}: InvalidEnvironmentName: Größe is not a valid environment variable name; rename the variable with letters, digits and _"),
            ),
            (
                r#", "environment": [{"value": "1"}]"#.to_owned(),
                format!("{variable}: RequiredField: name is required"),
            ),
            (
                r#", "environment": [{"name": "A"}], "secrets": [{"name": "A", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/a"}]"#.to_owned(),
                format!("{variable}: SecretEnvNameConflict: A is set in environment and in secrets; remove one of them"),
            ),
            (
                from("https://b/a.env"),
                format!("{file}: InvalidValue: https://b/a.env: must be the ARN of an S3 object, arn:aws:s3:::bucket/name.env"),
            ),
            (
                from("arn:aws:s3:::b/a.env"),
                format!("{file}: EnvironmentFileUnavailable: arn:aws:s3:::b/a.env cannot be read here; pass --env-file arn:aws:s3:::b/a.env=FILE or use environment"),
            ),
            (
                from("arn:aws:s3:::b/wrong.env"),
                format!("{file}: InvalidEnvironmentName: \"export A\" is not a valid environment variable name; rename the variable with letters, digits and _"),
            ),
            (
                r#", "environmentFiles": [{"type": "s3"}]"#.to_owned(),
                format!("{file}: RequiredField: value is required"),
            ),
        ] {
            let scenario = web(&members, r#", "executionRoleArn": "arn:aws:iam::123456789012:role/e""#)
                .settings(files(&[("wrong", "export A=1\nB=2\n")]));
            for scenario in [scenario.clone(), scenario.convert()] {
                assert_eq!(
                    scenario.rejections(),
                    [format!("containerDefinitions[0].{rejection}")]
                );
            }
        }
    }
}
