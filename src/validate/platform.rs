//! Operating system, architecture, namespaces and sandbox of the whole task.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// `runtimePlatform`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// The operating system, if one is requested.
    pub os: Option<OperatingSystem>,
    /// The processor architecture, if one is requested.
    pub architecture: Option<Architecture>,
}

/// An operating system that nodes can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatingSystem {
    /// Any Linux.
    Linux,
    /// Windows Server with this build, or with any build if only the containers indicate Windows.
    Windows(Option<WindowsBuild>),
}

/// The Windows Server builds that Kubernetes nodes can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowsBuild {
    /// 10.0.17763
    Server2019,
    /// 10.0.20348
    Server2022,
    /// 10.0.26100
    Server2025,
}

impl WindowsBuild {
    /// Returns the build of an `operatingSystemFamily` such as `WINDOWS_SERVER_2022_CORE`; `None` for builds that EKS
    /// does not support.
    #[must_use]
    pub fn of_family(family: &str) -> Option<Self> {
        let edition = family.strip_prefix("WINDOWS_SERVER_")?;
        match edition.split('_').next()? {
            "2019" => Some(Self::Server2019),
            "2022" => Some(Self::Server2022),
            "2025" => Some(Self::Server2025),
            _ => None,
        }
    }

    /// Returns the value of the node label `node.kubernetes.io/windows-build`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Server2019 => "10.0.17763",
            Self::Server2022 => "10.0.20348",
            Self::Server2025 => "10.0.26100",
        }
    }
}

/// A processor architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `X86_64`
    Amd64,
    /// `ARM64`
    Arm64,
}

/// `pidMode` and `ipcMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceMode {
    /// The host's namespace.
    Host,
    /// One namespace for the containers of the task.
    Task,
    /// A separate namespace for each container (only for `ipcMode`).
    None,
}

/// Validates `runtimePlatform`; on Fargate the defaults are Linux and `X86_64`.
pub(crate) fn validate_platform(
    scope: &Scope<'_>,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> Platform {
    let raw = scope.request.runtime_platform.clone().unwrap_or_default();
    let os = match raw.operating_system_family {
        None if scope.windows => Some(OperatingSystem::Windows(None)),
        None => scope.fargate.then_some(OperatingSystem::Linux),
        Some(family) if scope.windows => {
            let path = root.field("runtimePlatform").field("operatingSystemFamily");
            windows(family, scope, &path, sink)
        }
        Some(_) => Some(OperatingSystem::Linux),
    };
    let architecture = match raw.cpu_architecture.as_deref() {
        Some("ARM64") => Some(Architecture::Arm64),
        Some(_) => Some(Architecture::Amd64),
        None => scope.fargate.then_some(Architecture::Amd64),
    };
    Platform { os, architecture }
}

fn windows(
    family: String,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<OperatingSystem> {
    let build = WindowsBuild::of_family(&family);
    if scope.eks_fargate {
        sink.report(path.clone(), Message::WindowsOnFargate);
    } else if build.is_none() {
        let value = family;
        sink.report(path.clone(), Message::WindowsVersionUnsupported { value });
    }
    build.map(|build| OperatingSystem::Windows(Some(build)))
}

/// Whether the task definition is for Windows. On EC2 it need not specify that: there, values that only Windows
/// supports indicate it.
pub(crate) fn is_windows(request: &ecs::TaskDefinition, fargate: bool) -> bool {
    let platform = request.runtime_platform.as_ref();
    match platform.and_then(|platform| platform.operating_system_family.as_deref()) {
        Some(family) => family.starts_with("WINDOWS"),
        None => !fargate && only_on_windows(request),
    }
}

/// Whether a container has an image or a path that exists only on Windows. If any container has Linux parameters, such a
/// path is an error instead.
fn only_on_windows(request: &ecs::TaskDefinition) -> bool {
    let containers = &request.container_definitions;
    let image = |container: &ecs::ContainerDefinition| {
        let image = container.image.as_deref().unwrap_or_default();
        image.starts_with("mcr.microsoft.com/windows/")
    };
    let mounts = containers
        .iter()
        .flat_map(|container| &container.mount_points);
    let hosts = request
        .volumes
        .iter()
        .filter_map(|volume| volume.host.as_ref());
    let mut paths = mounts
        .filter_map(|mount| mount.container_path.as_deref())
        .chain(hosts.filter_map(|host| host.source_path.as_deref()))
        .chain(
            containers
                .iter()
                .filter_map(|c| c.working_directory.as_deref()),
        );
    containers.iter().all(|c| c.linux_parameters.is_none())
        && (containers.iter().any(image) || paths.any(has_drive))
}

/// Whether a path begins with a drive: `C:\` or `C:/`.
fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic())
}

/// Validates `pidMode`.
pub(crate) fn validate_pid_mode(
    scope: &Scope<'_>,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<NamespaceMode> {
    let raw = scope.request.pid_mode.as_deref()?;
    let path = root.field("pidMode");
    if scope.windows {
        let field = "pidMode".to_owned();
        sink.report(path, Message::WindowsUnsupportedParameter { field });
    } else if scope.fargate && raw == "host" {
        sink.report(path, Message::FargatePidMode);
    }
    namespace_mode(raw)
}

/// Validates `ipcMode`.
pub(crate) fn validate_ipc_mode(
    scope: &Scope<'_>,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<NamespaceMode> {
    let raw = scope.request.ipc_mode.as_deref()?;
    let (path, field) = (root.field("ipcMode"), "ipcMode".to_owned());
    if scope.windows {
        sink.report(path, Message::WindowsUnsupportedParameter { field });
    } else if scope.fargate {
        sink.report(path, Message::FargateUnsupportedParameter { field });
    }
    namespace_mode(raw)
}

fn namespace_mode(raw: &str) -> Option<NamespaceMode> {
    match raw {
        "host" => Some(NamespaceMode::Host),
        "task" => Some(NamespaceMode::Task),
        "none" => Some(NamespaceMode::None),
        _ => None,
    }
}

/// Whether `trustedExecutionConfiguration` requests a sandbox.
pub(crate) fn validate_sandbox(
    scope: &Scope<'_>,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> bool {
    let configuration = scope.request.trusted_execution_configuration.as_ref();
    let mode = configuration.and_then(|configuration| configuration.isolation_mode.as_deref());
    let path = root
        .field("trustedExecutionConfiguration")
        .field("isolationMode");
    if mode == Some("CONFIDENTIAL_SANDBOX") {
        sink.report(path, Message::ConfidentialSandboxUnsupported);
        return false;
    }
    let isolated = mode == Some("ISOLATED_SANDBOX");
    if isolated && scope.settings.isolated_sandbox_runtime_class.is_none() {
        sink.report(path, Message::SandboxNeedsRuntimeClass);
    }
    isolated
}
