//! One container: image, process, and what it shares with no other file.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Architecture, ContainerResources, Environment, Firelens, HealthCheck, ImageVolumes, Logging,
    Mount, NamespaceMode, OperatingSystem, Platform, Port, PullSecret, Restart, Scope,
    SecretVariable, Security, WindowsBuild, image_volumes, validate_container_resources,
    validate_environment, validate_firelens, validate_health_check, validate_logging,
    validate_mounts, validate_ports, validate_pull_secret, validate_restart, validate_secrets,
    validate_security,
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
    /// The name as ECS has it.
    pub name: String,
    /// Whether the task stops when this container does.
    pub essential: bool,
    /// The image reference, unchanged.
    pub image: String,
    /// The credentials for a private registry.
    pub pull_secret: Option<PullSecret>,
    /// What is started.
    pub process: Process,
    /// Variables and environment files.
    pub environment: Environment,
    /// Variables whose values come from a secret store.
    pub secrets: Vec<SecretVariable>,
    /// Ports, ranges expanded.
    pub ports: Vec<Port>,
    /// CPU, memory, GPUs.
    pub resources: ContainerResources,
    /// The health check; `None` also for `NONE`.
    pub health_check: Option<HealthCheck>,
    /// The restart policy, if enabled.
    pub restart: Option<Restart>,
    /// `startTimeout` in seconds.
    pub start_timeout: Option<i64>,
    /// `stopTimeout` in seconds, if given.
    pub stop_timeout: Option<i64>,
    /// Mounts of volumes, those of `volumesFrom` included.
    pub mounts: Vec<Mount>,
    /// Entries of `volumesFrom` that share no mounts.
    pub image_volumes: Vec<ImageVolumes>,
    /// User, capabilities and other limits of the process.
    pub security: Security,
    /// Where the logs go.
    pub logging: Logging,
    /// Set on the FireLens log router.
    pub firelens: Option<Firelens>,
    /// Docker labels.
    pub docker_labels: BTreeMap<String, String>,
}

/// What a container starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// `entryPoint`; empty for the image's.
    pub entry_point: Vec<String>,
    /// `command`; empty for the image's.
    pub command: Vec<String>,
    /// The directory it starts in.
    pub working_directory: Option<String>,
    /// Whether stdin stays open.
    pub interactive: bool,
    /// Whether a terminal is allocated.
    pub pseudo_terminal: bool,
}

/// Validates one container.
pub(crate) fn validate_container(
    index: usize,
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Container {
    Container {
        index,
        name: raw.name.clone().unwrap_or_default(),
        essential: raw.essential.unwrap_or(true),
        image: raw.image.clone().unwrap_or_default(),
        pull_secret: validate_pull_secret(raw, scope, path, sink),
        process: Process {
            entry_point: raw.entry_point.clone(),
            command: raw.command.clone(),
            working_directory: raw.working_directory.clone(),
            interactive: raw.interactive.unwrap_or(false),
            pseudo_terminal: raw.pseudo_terminal.unwrap_or(false),
        },
        environment: validate_environment(raw, scope, path, sink),
        secrets: validate_secrets(raw, scope, path, sink),
        ports: validate_ports(raw, scope, path, sink),
        resources: validate_container_resources(raw, scope, path, sink),
        health_check: validate_health_check(raw, scope, path, sink),
        restart: validate_restart(raw, scope, path, sink),
        start_timeout: raw.start_timeout,
        stop_timeout: raw.stop_timeout,
        mounts: validate_mounts(raw, scope, path, sink),
        image_volumes: image_volumes(raw, scope),
        security: validate_security(raw, scope, path, sink),
        logging: validate_logging(raw, scope, path, sink),
        firelens: validate_firelens(raw, scope, path, sink),
        docker_labels: raw.docker_labels.clone(),
    }
}

/// Checks what concerns the task as a whole and no other file: names, essential containers, namespaces, platform, tags.
pub(crate) fn validate_task_fields(scope: &Scope<'_>, root: &FieldPath, sink: &mut Diagnostics) {
    let containers = &scope.request.container_definitions;
    let at = root.field("containerDefinitions");
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let name = container.name.as_deref().unwrap_or_default();
        if !names.insert(name) {
            let allowed = "a name that no other container has".to_owned();
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
    namespaces(scope, root, sink);
    validate_platform(scope, &root.field("runtimePlatform"), sink);
    sandbox(
        scope,
        &root
            .field("trustedExecutionConfiguration")
            .field("isolationMode"),
        sink,
    );
}

/// Checks the keys of tags.
pub(crate) fn validate_tags(tags: &[ecs::Tag], path: &FieldPath, sink: &mut Diagnostics) {
    let mut keys = BTreeSet::new();
    for (index, tag) in tags.iter().enumerate() {
        let key = tag.key.as_deref().unwrap_or_default();
        let at = path.index(index).field("key");
        let value = key.to_owned();
        if key.is_empty() || key.to_ascii_lowercase().starts_with("aws:") {
            let allowed = "a key that does not begin with aws:".to_owned();
            sink.report(at, Message::InvalidValue { value, allowed });
        } else if !keys.insert(key) {
            sink.report(at, Message::DuplicateTag { value });
        }
    }
}

fn namespaces(scope: &Scope<'_>, root: &FieldPath, sink: &mut Diagnostics) {
    let request = scope.request;
    if scope.fargate && request.pid_mode.as_deref() == Some("host") {
        sink.report(root.field("pidMode"), Message::FargatePidMode);
    }
    for (field, given) in [
        ("pidMode", &request.pid_mode),
        ("ipcMode", &request.ipc_mode),
    ] {
        let field_name = field.to_owned();
        if given.is_some() && scope.windows {
            sink.report(
                root.field(field),
                Message::WindowsUnsupportedParameter { field: field_name },
            );
        } else if given.is_some() && scope.fargate && field == "ipcMode" {
            sink.report(
                root.field(field),
                Message::FargateUnsupportedParameter { field: field_name },
            );
        }
    }
}

fn validate_platform(scope: &Scope<'_>, path: &FieldPath, sink: &mut Diagnostics) {
    let path = path.field("operatingSystemFamily");
    let family = scope
        .request
        .runtime_platform
        .as_ref()
        .and_then(|platform| platform.operating_system_family.clone());
    match family {
        Some(value) if scope.windows && WindowsBuild::of_family(&value).is_none() => {
            sink.report(path, Message::WindowsVersionUnsupported { value });
        }
        Some(_) if scope.windows && scope.eks_fargate() => {
            sink.report(path, Message::WindowsOnFargate)
        }
        _ => {}
    }
}

fn sandbox(scope: &Scope<'_>, path: &FieldPath, sink: &mut Diagnostics) {
    let configuration = scope.request.trusted_execution_configuration.as_ref();
    match configuration.and_then(|configuration| configuration.isolation_mode.as_deref()) {
        Some("ISOLATED_SANDBOX") if scope.settings.isolated_sandbox_runtime_class.is_none() => {
            sink.report(path.clone(), Message::SandboxNeedsRuntimeClass);
        }
        Some("CONFIDENTIAL_SANDBOX") => {
            sink.report(path.clone(), Message::ConfidentialSandboxUnsupported)
        }
        _ => {}
    }
}

/// Whether the task definition asks for Windows.
pub(crate) fn is_windows(request: &ecs::TaskDefinition) -> bool {
    request
        .runtime_platform
        .as_ref()
        .and_then(|platform| platform.operating_system_family.as_deref())
        .is_some_and(|family| family.starts_with("WINDOWS"))
}

/// The platform; on Fargate the defaults are Linux and `X86_64`.
pub(crate) fn platform(scope: &Scope<'_>) -> Platform {
    let raw = scope.request.runtime_platform.clone().unwrap_or_default();
    let os = match raw.operating_system_family.as_deref() {
        None if scope.fargate => Some(OperatingSystem::Linux),
        None => None,
        Some(family) => Some(
            WindowsBuild::of_family(family)
                .map_or(OperatingSystem::Linux, OperatingSystem::Windows),
        ),
    };
    let architecture = match raw.cpu_architecture.as_deref() {
        Some("ARM64") => Some(Architecture::Arm64),
        Some(_) => Some(Architecture::Amd64),
        None if scope.fargate => Some(Architecture::Amd64),
        None => None,
    };
    Platform { os, architecture }
}

/// Whether `trustedExecutionConfiguration` asks for a sandbox.
pub(crate) fn isolated_sandbox(request: &ecs::TaskDefinition) -> bool {
    request
        .trusted_execution_configuration
        .as_ref()
        .and_then(|configuration| configuration.isolation_mode.as_deref())
        == Some("ISOLATED_SANDBOX")
}

/// `pidMode` or `ipcMode`.
pub(crate) fn namespace_mode(raw: Option<&str>) -> Option<NamespaceMode> {
    match raw {
        Some("host") => Some(NamespaceMode::Host),
        Some("task") => Some(NamespaceMode::Task),
        Some("none") => Some(NamespaceMode::None),
        _ => None,
    }
}
