//! What an App Runner service is in ECS: a task definition with one container, and a service with its scaling.
//!
//! From there on it is validated and translated as any service of ECS. Findings about members of the two ECS requests
//! are moved to the members of App Runner's documents that they come from.

mod built;
mod container;
mod exposure;
mod place;
mod probes;
mod scaling;
mod size;

pub use built::{of_source, with_image};
pub use place::placed;

use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message, Severity, Subject},
    ecs,
    image::is_private_ecr,
    input::{AppRunnerInput, ConnectHosts, ServiceInput, TaskDefinitionInput},
    settings::{EcrPullSecrets, Settings},
    validate::{self, Service},
};

/// The fewest characters of the name of a service or of an auto scaling configuration.
const SHORTEST_NAME: usize = 4;

/// An App Runner service as a service of ECS.
#[derive(Clone, Debug, PartialEq)]
pub struct Equivalent {
    /// The ECS requests. What is wrong in App Runner's documents has a default in its place here.
    pub service: ServiceInput,
    /// What is wrong and what differs, at members of App Runner's documents.
    pub findings: Diagnostics,
}

/// An App Runner service that can be translated.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The ECS requests.
    pub input: ServiceInput,
    /// The same, validated.
    pub service: Service,
    /// What differs from App Runner, at members of its documents.
    pub notes: Diagnostics,
}

/// Validates an App Runner service as the service of ECS that it is equal to.
///
/// # Errors
///
/// All errors, at members of App Runner's documents.
pub fn validate_app_runner(
    input: &AppRunnerInput,
    settings: &Settings,
) -> Result<Checked, Diagnostics> {
    let Equivalent {
        service: equal,
        findings,
    } = equivalent(input, settings);
    let mut errors = Diagnostics::new();
    for finding in findings.iter() {
        if finding.severity() == Severity::Error {
            errors.report(finding.path.clone(), finding.message.clone());
        }
    }
    // Without an image there is no container.
    if !has_image(input) {
        return Err(errors);
    }
    match validate::validate_service(&equal, settings) {
        Ok(service) if !errors.has_errors() => Ok(Checked {
            input: equal,
            service,
            notes: findings,
        }),
        Ok(_) => Err(errors),
        Err(of_ecs) => {
            for finding in placed(&of_ecs, input).iter() {
                // A default is in its place.
                if !errors.iter().any(|error| error.path == finding.path) {
                    errors.report(finding.path.clone(), finding.message.clone());
                }
            }
            Err(errors)
        }
    }
}

/// Returns the ECS requests that run what an App Runner service runs.
///
/// The settings decide only what can be exposed, and how, and which findings there are.
#[must_use]
pub fn equivalent(input: &AppRunnerInput, settings: &Settings) -> Equivalent {
    let mut sink = Diagnostics::new();
    let name = name(&input.request, &mut sink);
    check_source(&input.request, &mut sink);
    check_rest(&input.request, &mut sink);
    check_pull(&input.request, settings, &mut sink);
    let port = container::port(&input.request, &mut sink);
    let container = container::container(input, &name, port, &mut sink);
    let size = size::size(&input.request, &mut sink);
    let probes = probes::probes(&input.request, &name, port, &mut sink);
    let scaled = scaling::scaled(input, settings, &mut sink);
    let expose = exposure::expose(input, &name, port, settings, &mut sink);
    let definition = ecs::TaskDefinition {
        family: Some(name.clone()),
        network_mode: Some("awsvpc".to_owned()),
        task_role_arn: instance_role(&input.request).cloned(),
        execution_role_arn: execution_role(&input.request).cloned(),
        cpu: Some(size.cpu.to_string()),
        memory: Some(size.memory.to_string()),
        container_definitions: vec![ecs::ContainerDefinition {
            cpu: Some(size.cpu),
            memory: Some(size.memory),
            ..container
        }],
        ..ecs::TaskDefinition::default()
    };
    let request = ecs::Service {
        service_name: Some(name.clone()),
        task_definition: Some(name),
        desired_count: scaled.count,
        deployment_configuration: Some(deployment()),
        tags: tags(&input.request),
        ..ecs::Service::default()
    };
    Equivalent {
        service: ServiceInput {
            request,
            extensions: crd::ServiceExtensions {
                auto_scaling: scaled.auto_scaling,
                kubernetes: kubernetes(expose, input.extensions.kubernetes.as_ref()),
            },
            task_definition: TaskDefinitionInput {
                request: definition,
                extensions: crd::TaskDefinitionExtensions {
                    kubernetes: Some(probes),
                },
                revision: None,
            },
            connect_hosts: ConnectHosts::new(),
        },
        findings: sink,
    }
}

/// Returns what the service has besides; `own` is what its document says of pods.
fn kubernetes(
    expose: Option<crd::Expose>,
    own: Option<&crd::Kubernetes>,
) -> Option<crd::Kubernetes> {
    let pod = own.and_then(|own| own.pod.clone());
    (expose.is_some() || pod.is_some()).then(|| crd::Kubernetes {
        expose,
        pod,
        ..crd::Kubernetes::default()
    })
}

fn root() -> FieldPath {
    FieldPath::root(Subject::AppRunnerService)
}

/// Returns the path of a member of `SourceConfiguration.ImageRepository`.
fn of_image(member: &'static str) -> FieldPath {
    let source = root().field("SourceConfiguration");
    source.field("ImageRepository").field(member)
}

/// Returns the path of a member of `SourceConfiguration.ImageRepository.ImageConfiguration`.
fn of_configuration(member: &'static str) -> FieldPath {
    of_image("ImageConfiguration").field(member)
}

fn image_repository(request: &ecs::AppRunnerService) -> Option<&ecs::ImageRepository> {
    let source = request.source_configuration.as_ref()?;
    source.image_repository.as_ref()
}

fn image_configuration(request: &ecs::AppRunnerService) -> Option<&ecs::ImageConfiguration> {
    image_repository(request)?.image_configuration.as_ref()
}

fn has_image(input: &AppRunnerInput) -> bool {
    image_repository(&input.request).is_some_and(|image| image.image_identifier.is_some())
}

fn instance_role(request: &ecs::AppRunnerService) -> Option<&String> {
    let instance = request.instance_configuration.as_ref()?;
    instance.instance_role_arn.as_ref()
}

/// The role with which secrets are read. In App Runner that is the role of the instance; the access role only pulls
/// (<https://docs.aws.amazon.com/apprunner/latest/dg/env-variable.html>).
fn execution_role(request: &ecs::AppRunnerService) -> Option<&String> {
    if has_secrets(request) {
        return instance_role(request);
    }
    access_role(request)
}

/// Reports that pull secrets are made with another role than the access role.
fn check_pull(request: &ecs::AppRunnerService, settings: &Settings, sink: &mut Diagnostics) {
    let image = image_repository(request).and_then(|it| it.image_identifier.as_deref());
    let is_private = image.is_some_and(is_private_ecr);
    let (pulls, access) = (execution_role(request), access_role(request));
    if settings.ecr_pull_secrets == EcrPullSecrets::On
        && is_private
        && pulls != access
        && let (Some(role), Some(_)) = (pulls, access)
    {
        let role = role.rsplit('/').next().unwrap_or(role).to_owned();
        let message = Message::AccessRoleNotUsedForImagePull { role };
        sink.report(of_access_role(), message);
    }
}

/// Returns the path of `AccessRoleArn`.
fn of_access_role() -> FieldPath {
    let source = root().field("SourceConfiguration");
    let authentication = source.field("AuthenticationConfiguration");
    authentication.field("AccessRoleArn")
}

fn access_role(request: &ecs::AppRunnerService) -> Option<&String> {
    let source = request.source_configuration.as_ref()?;
    let authentication = source.authentication_configuration.as_ref()?;
    authentication.access_role_arn.as_ref()
}

fn has_secrets(request: &ecs::AppRunnerService) -> bool {
    let image = image_configuration(request);
    image.is_some_and(|image| !image.runtime_environment_secrets.is_empty())
}

/// App Runner starts as many new instances as there are, and keeps the old ones if the new ones fail
/// (<https://docs.aws.amazon.com/apprunner/latest/dg/manage-deploy.html>).
fn deployment() -> ecs::DeploymentConfiguration {
    ecs::DeploymentConfiguration {
        minimum_healthy_percent: Some(100),
        maximum_percent: Some(200),
        deployment_circuit_breaker: Some(ecs::DeploymentCircuitBreaker {
            enable: Some(true),
            rollback: Some(true),
            ..ecs::DeploymentCircuitBreaker::default()
        }),
        ..ecs::DeploymentConfiguration::default()
    }
}

fn tags(request: &ecs::AppRunnerService) -> Vec<ecs::Tag> {
    let tags = request.tags.iter().map(|tag| ecs::Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    });
    tags.collect()
}

fn name(request: &ecs::AppRunnerService, sink: &mut Diagnostics) -> String {
    let name = request.service_name.clone().unwrap_or_default();
    if !name.is_empty() && !is_name(&name) {
        sink.report(root().field("ServiceName"), not_a_name(&name));
    }
    name
}

/// Whether this is long enough for a name, and begins as one; the reader checks the rest.
fn is_name(text: &str) -> bool {
    text.chars().count() >= SHORTEST_NAME && !text.starts_with(['-', '_'])
}

fn not_a_name(text: &str) -> Message {
    Message::InvalidValue {
        value: text.to_owned(),
        allowed: "must be at least 4 letters, digits, - and _, with a letter or a digit first"
            .to_owned(),
    }
}

/// Checks that there is an image, and says what does not happen with it.
fn check_source(request: &ecs::AppRunnerService, sink: &mut Diagnostics) {
    let Some(source) = &request.source_configuration else {
        return;
    };
    let path = root().field("SourceConfiguration");
    let Some(image) = &source.image_repository else {
        // What is said of source code says it all.
        if source.code_repository.is_none() {
            let name = "ImageRepository".to_owned();
            sink.report(
                path.field("ImageRepository"),
                Message::RequiredField { name },
            );
        }
        return;
    };
    let is_public = image.image_repository_type.as_deref() == Some("ECR_PUBLIC");
    let automatic = source.auto_deployments_enabled;
    let identifier = image.image_identifier.as_deref().unwrap_or_default();
    if is_public && automatic == Some(true) {
        let path = path.field("AutoDeploymentsEnabled");
        sink.report(path, Message::AutoDeployOnPublicImage);
    } else if automatic.unwrap_or(!is_public) && !identifier.contains('@') {
        let path = match automatic {
            Some(_) => path.field("AutoDeploymentsEnabled"),
            None => of_image("ImageIdentifier"),
        };
        sink.report(path, Message::AutoDeploymentsNotWatched);
    }
}

/// Says what does not happen without App Runner.
fn check_rest(request: &ecs::AppRunnerService, sink: &mut Diagnostics) {
    let observability = request.observability_configuration.as_ref();
    if observability.is_some_and(|it| it.observability_enabled == Some(true)) {
        let path = root().field("ObservabilityConfiguration");
        sink.report(path, Message::XRayNotConfigured);
    }
}

#[cfg(test)]
mod tests;
