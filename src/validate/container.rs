//! One container: image, process, and what it shares with no other file.

use std::collections::BTreeMap;

use super::{
    Architecture, ContainerResources, Environment, Firelens, HealthCheck, Logging, Mount,
    NamespaceMode, OperatingSystem, Platform, Port, PullSecret, Restart, Scope, SecretVariable,
    Security, WindowsBuild, validate_container_resources, validate_environment, validate_firelens,
    validate_health_check, validate_logging, validate_mounts, validate_ports, validate_pull_secret,
    validate_restart, validate_secrets, validate_security,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath},
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
        security: validate_security(raw, scope, path, sink),
        logging: validate_logging(raw, scope, path, sink),
        firelens: validate_firelens(raw, scope, path, sink),
        docker_labels: raw.docker_labels.clone(),
    }
}

/// Checks what concerns the task as a whole and no other file: names, duplicates, platform, namespaces, tags.
pub(crate) fn validate_task_fields(_scope: &Scope<'_>, _root: &FieldPath, _sink: &mut Diagnostics) {
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
        Some("LINUX") => Some(OperatingSystem::Linux),
        Some(family) if family.contains("2019") => {
            Some(OperatingSystem::Windows(WindowsBuild::Server2019))
        }
        Some(family) if family.contains("2025") => {
            Some(OperatingSystem::Windows(WindowsBuild::Server2025))
        }
        Some(_) => Some(OperatingSystem::Windows(WindowsBuild::Server2022)),
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
