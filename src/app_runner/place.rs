//! Where the documents of App Runner have what the requests of ECS have.

use super::{
    container::{PORT, variables},
    has_secrets, image_configuration, of_access_role, of_configuration, of_image, root,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Reason, Segment, Subject},
    input::AppRunnerInput,
};

/// Returns the same findings, with those about the ECS requests of [`super::equivalent`] at the members of App Runner's
/// documents that these come from.
#[must_use]
pub fn placed(findings: &Diagnostics, input: &AppRunnerInput) -> Diagnostics {
    let mut placed = Diagnostics::new();
    for finding in findings.iter() {
        let segments = finding.path.segments();
        let path = match finding.path.subject() {
            Subject::TaskDefinition => of_definition(segments, finding.reason(), input),
            Subject::Service => of_service(segments, input),
            Subject::AutoScaling => of_auto_scaling(segments, input),
            _ => finding.path.clone(),
        };
        placed.report_once(path, finding.message.clone());
    }
    placed
}

/// Returns the path of a member of the auto scaling configuration; of the reference to it where it is no document.
pub(super) fn of_scaling(input: &AppRunnerInput, member: &'static str) -> FieldPath {
    match (
        &input.extensions.auto_scaling_configuration,
        &input.auto_scaling,
    ) {
        (Some(_), _) => root().field("AutoScalingConfiguration").field(member),
        (None, Some(_)) => FieldPath::root(Subject::AutoScalingConfiguration).field(member),
        (None, None) => root().field("AutoScalingConfigurationArn"),
    }
}

/// Returns the first members of a path.
fn members(segments: &[Segment]) -> Vec<&str> {
    let names = segments.iter().map_while(|segment| match segment {
        Segment::Member(name) => Some(&**name),
        Segment::Element(_) => None,
    });
    names.collect()
}

fn of_definition(segments: &[Segment], reason: Reason, input: &AppRunnerInput) -> FieldPath {
    let instance = root().field("InstanceConfiguration");
    if let [Segment::Member(list), Segment::Element(_), rest @ ..] = segments
        && list == "containerDefinitions"
    {
        return of_container(rest, input);
    }
    match members(segments).first() {
        Some(&"family") => root().field("ServiceName"),
        Some(&"cpu") => instance.field("Cpu"),
        Some(&"memory") => instance.field("Memory"),
        Some(&"taskRoleArn") => instance.field("InstanceRoleArn"),
        Some(&"executionRoleArn") => {
            // Images are pulled with another role than that which reads secrets.
            let is_pull = matches!(
                reason,
                Reason::ExecutionRoleNotUsedForImagePull | Reason::EcrPullSecretsUnavailable
            );
            if has_secrets(&input.request) && !is_pull {
                instance.field("InstanceRoleArn")
            } else {
                of_access_role()
            }
        }
        Some(&"kubernetes") => root().field("HealthCheckConfiguration"),
        _ => root(),
    }
}

fn of_container(segments: &[Segment], input: &AppRunnerInput) -> FieldPath {
    let instance = root().field("InstanceConfiguration");
    let index = match segments.get(1) {
        Some(Segment::Element(index)) => Some(*index),
        _ => None,
    };
    match members(segments).first() {
        Some(&"name") => root().field("ServiceName"),
        Some(&"image") => of_image("ImageIdentifier"),
        Some(&"command") => of_configuration("StartCommand"),
        Some(&"portMappings") => of_configuration("Port"),
        Some(&"cpu") => instance.field("Cpu"),
        Some(&"memory") => instance.field("Memory"),
        Some(&"environment") => {
            // The value of PORT does not matter here.
            let names = variables(&input.request, 0).into_keys();
            named("RuntimeEnvironmentVariables", names, index)
        }
        Some(&"secrets") => {
            let secrets = image_configuration(&input.request);
            let secrets = secrets.map(|it| &it.runtime_environment_secrets);
            let names = secrets.into_iter().flatten().map(|(name, _)| name.clone());
            named("RuntimeEnvironmentSecrets", names, index)
        }
        _ => root(),
    }
}

/// Returns the path of a variable by its position among all.
fn named(
    map: &'static str,
    mut names: impl Iterator<Item = String>,
    index: Option<usize>,
) -> FieldPath {
    let path = of_configuration(map);
    match index.and_then(|index| names.nth(index)) {
        Some(name) if name == PORT => of_configuration("Port"),
        Some(name) => path.field(name),
        None => path,
    }
}

fn of_service(segments: &[Segment], input: &AppRunnerInput) -> FieldPath {
    let network = root().field("NetworkConfiguration");
    match (members(segments).first(), segments) {
        (Some(&"serviceName"), _) => root().field("ServiceName"),
        (Some(&"desiredCount"), _) => of_scaling(input, "MinSize"),
        (Some(&"kubernetes"), [_, Segment::Member(part), ..]) if part == "pod" => {
            segments.iter().fold(root(), |path, segment| match segment {
                Segment::Member(name) => path.field(name.clone()),
                Segment::Element(index) => path.index(*index),
            })
        }
        (Some(&"kubernetes"), [_, _, Segment::Member(part), ..]) if part == "hosts" => {
            root().field("CustomDomains")
        }
        (Some(&"kubernetes"), _) => {
            let ingress = network.field("IngressConfiguration");
            ingress.field("IsPubliclyAccessible")
        }
        (Some(&"networkConfiguration"), _) => network,
        (Some(&"tags"), [_, Segment::Element(index), ..]) => root().field("Tags").index(*index),
        (Some(&"tags"), _) => root().field("Tags"),
        _ => root(),
    }
}

fn of_auto_scaling(segments: &[Segment], input: &AppRunnerInput) -> FieldPath {
    match members(segments)[..] {
        ["scalableTarget", "MinCapacity", ..] => of_scaling(input, "MinSize"),
        ["scalableTarget", "MaxCapacity", ..] => of_scaling(input, "MaxSize"),
        _ => of_scaling(input, "MaxConcurrency"),
    }
}
