//! One container: its image, its process, and the fields that no other file validates.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ContainerResources, CredentialSpec, Devices, Environment, Firelens, HealthCheck, ImageVolumes,
    Logging, Mount, Port, Process, PullSecret, Restart, Scope, SecretVariable, Security,
    image_volumes, validate_container_resources, validate_credential_spec, validate_devices,
    validate_environment, validate_firelens, validate_health_check, validate_image,
    validate_logging, validate_mounts, validate_ports, validate_process, validate_pull_secret,
    validate_restart, validate_secrets, validate_security,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// A container that can be translated.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// The position in `containerDefinitions`.
    pub index: usize,
    /// The name in ECS.
    pub name: String,
    /// Whether the task stops when this container does.
    pub essential: bool,
    /// The image reference, unchanged.
    pub image: String,
    /// Whether `versionConsistency` requires that all tasks of a deployment run the same image; ECS does so by default.
    pub asks_for_consistency: bool,
    /// The credentials for a private registry.
    pub pull_secret: Option<PullSecret>,
    /// The process that is started.
    pub process: Process,
    /// The variables and environment files.
    pub environment: Environment,
    /// The variables with values from a secret store.
    pub secrets: Vec<SecretVariable>,
    /// The ports, with expanded ranges.
    pub ports: Vec<Port>,
    /// The CPU, memory and GPUs.
    pub resources: ContainerResources,
    /// The devices of the node.
    pub devices: Devices,
    /// The health check; `None` also for `NONE`.
    pub health_check: Option<HealthCheck>,
    /// The restart policy, if enabled.
    pub restart: Option<Restart>,
    /// `startTimeout` in seconds.
    pub start_timeout: Option<i64>,
    /// `stopTimeout` in seconds, if given.
    pub stop_timeout: Option<i64>,
    /// The mounts of volumes, including those of `volumesFrom`.
    pub mounts: Vec<Mount>,
    /// The entries of `volumesFrom` that share no mounts.
    pub image_volumes: Vec<ImageVolumes>,
    /// The user, capabilities and other limits of the process.
    pub security: Security,
    /// The account of Active Directory that it has on Windows.
    pub credential_spec: Option<CredentialSpec>,
    /// The destination of the logs.
    pub logging: Logging,
    /// Set on the FireLens log router.
    pub firelens: Option<Firelens>,
    /// Docker labels.
    pub docker_labels: BTreeMap<String, String>,
}

/// Validates one container.
pub(crate) fn validate_container(
    index: usize,
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Container {
    let environment = validate_environment(raw, scope, path, sink);
    let devices = validate_devices(raw, scope, path, sink);
    Container {
        index,
        name: raw.name.clone().unwrap_or_default(),
        essential: raw.essential.unwrap_or(true),
        image: validate_image(raw.image.as_deref(), path, sink),
        asks_for_consistency: raw.version_consistency.as_deref() == Some("enabled"),
        pull_secret: validate_pull_secret(raw, scope, path, sink),
        process: validate_process(raw, &environment),
        environment,
        secrets: validate_secrets(raw, scope, path, sink),
        ports: validate_ports(raw, scope, path, sink),
        resources: validate_container_resources(raw, scope, path, sink),
        health_check: validate_health_check(raw, scope, path, sink),
        restart: validate_restart(raw, scope, path, sink),
        start_timeout: raw.start_timeout,
        stop_timeout: raw.stop_timeout,
        mounts: validate_mounts(raw, scope, path, sink),
        image_volumes: image_volumes(raw, scope),
        security: validate_security(raw, &devices, scope, path, sink),
        devices,
        credential_spec: validate_credential_spec(raw, scope, path, sink),
        logging: validate_logging(raw, scope, path, sink),
        firelens: validate_firelens(raw, scope, path, sink),
        docker_labels: raw.docker_labels.clone(),
    }
}

/// Checks fields of the task as a whole that no other file validates: names, essential containers, tags.
pub(crate) fn validate_task_fields(scope: &Scope<'_>, root: &FieldPath, sink: &mut Diagnostics) {
    let containers = &scope.request.container_definitions;
    let at = root.field("containerDefinitions");
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let name = container.name.as_deref().unwrap_or_default();
        if !names.insert(name) {
            let allowed = "another container has this name".to_owned();
            let value = name.to_owned();
            sink.report(
                at.index(index).field("name"),
                Message::InvalidValue { value, allowed },
            );
        }
    }
    if !containers.is_empty() && containers.iter().all(|c| c.essential == Some(false)) {
        sink.report(at, Message::NoEssentialContainer);
    }
    validate_tags(&scope.request.tags, &root.field("tags"), sink);
}

/// Checks the keys of tags.
pub(crate) fn validate_tags(tags: &[ecs::Tag], path: &FieldPath, sink: &mut Diagnostics) {
    let mut keys = BTreeSet::new();
    for (index, tag) in tags.iter().enumerate() {
        let key = tag.key.as_deref().unwrap_or_default();
        let path = path.index(index).field("key");
        let value = key.to_owned();
        if key.is_empty() {
            let name = "key".to_owned();
            sink.report(path, Message::RequiredField { name });
        } else if key.to_ascii_lowercase().starts_with("aws:") {
            let allowed = "keys that begin with aws: are reserved".to_owned();
            sink.report(path, Message::InvalidValue { value, allowed });
        } else if !keys.insert(key) {
            sink.report(path, Message::DuplicateTag { value });
        }
    }
}
