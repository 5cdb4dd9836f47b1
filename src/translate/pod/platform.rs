//! Operating system, architecture and sandbox.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodOS;

use super::Draft;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::Context,
    validate::{Architecture, OperatingSystem, Platform},
};

/// Restricts the pods to nodes that can run the images.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let Platform { os, architecture } = cx.task_definition.platform;
    let mut selector = BTreeMap::new();
    let mut select = |label: &str, value: &str| selector.insert(label.to_owned(), value.to_owned());
    match architecture {
        Some(Architecture::Amd64) => select("kubernetes.io/arch", "amd64"),
        Some(Architecture::Arm64) => select("kubernetes.io/arch", "arm64"),
        None => None,
    };
    match os {
        Some(OperatingSystem::Linux) => {
            select("kubernetes.io/os", "linux");
        }
        Some(OperatingSystem::Windows(build)) => {
            select("kubernetes.io/os", "windows");
            if let Some(build) = build {
                select("node.kubernetes.io/windows-build", build.label());
            } else {
                let path = FieldPath::root(Subject::TaskDefinition)
                    .field("runtimePlatform")
                    .field("operatingSystemFamily");
                notes.report(path, Message::WindowsAssumed);
            }
            let name = "windows".to_owned();
            draft.spec.os = Some(PodOS { name });
        }
        None => {}
    }
    if !selector.is_empty() {
        draft
            .spec
            .node_selector
            .get_or_insert_default()
            .extend(selector);
    }
    sandbox(cx, draft, notes);
}

/// Sets a RuntimeClass in place of the Nitro sandbox.
fn sandbox(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let class = &cx.settings.isolated_sandbox_runtime_class;
    let Some(name) = class
        .clone()
        .filter(|_| cx.task_definition.isolated_sandbox)
    else {
        return;
    };
    draft.spec.runtime_class_name = Some(name.clone());
    let path = FieldPath::root(Subject::TaskDefinition)
        .field("trustedExecutionConfiguration")
        .field("isolationMode");
    notes.report(path, Message::SandboxRuntimeClass { name });
}

#[cfg(test)]
mod tests {
    use crate::{
        settings::Compute,
        translate::testing::{Scenario, yaml},
    };

    const FARGATE: &str = r#""networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048""#;

    /// Returns a service of one container whose task definition also has these members.
    fn web(members: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", {members}, "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64}}]}}"#
        ))
    }

    fn on(os: &str) -> String {
        format!(r#""runtimePlatform": {{"operatingSystemFamily": "{os}"}}"#)
    }

    #[test]
    fn platforms_select_nodes() {
        let windows = |build| {
            format!("{{kubernetes.io/os: windows, node.kubernetes.io/windows-build: {build}}}")
        };
        for (members, selector) in [
            (
                r#""runtimePlatform": {"cpuArchitecture": "ARM64"}"#.to_owned(),
                "{kubernetes.io/arch: arm64}".to_owned(),
            ),
            (
                r#""runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "X86_64"}"#.to_owned(),
                "{kubernetes.io/arch: amd64, kubernetes.io/os: linux}".to_owned(),
            ),
            (on("WINDOWS_SERVER_2019_FULL"), windows("10.0.17763")),
            (on("WINDOWS_SERVER_2022_CORE"), windows("10.0.20348")),
            (on("WINDOWS_SERVER_2025_CORE"), windows("10.0.26100")),
            (r#""cpu": "256""#.to_owned(), "null".to_owned()),
            (
                FARGATE.to_owned(),
                "{kubernetes.io/arch: amd64, kubernetes.io/os: linux}".to_owned(),
            ),
            (
                format!(r#"{FARGATE}, "runtimePlatform": {{"cpuArchitecture": "ARM64"}}"#),
                "{kubernetes.io/arch: arm64, kubernetes.io/os: linux}".to_owned(),
            ),
        ] {
            let outcome = web(&members).run();
            let spec = outcome.pod_spec();
            assert_eq!(spec["nodeSelector"], yaml(&selector), "{members}");
            let os = if selector.contains("windows") { "{name: windows}" } else { "null" };
            assert_eq!(spec["os"], yaml(os), "{members}");
        }
    }

    #[test]
    fn platforms_that_do_not_exist_are_rejected() {
        let path = "runtimePlatform.operatingSystemFamily";
        for (family, edition) in [
            ("WINDOWS_SERVER_2016_FULL", "2016"),
            ("WINDOWS_SERVER_2004_CORE", "2004"),
            ("WINDOWS_SERVER_20H2_CORE", "20H2"),
        ] {
            assert!(family.contains(edition));
            assert_eq!(
                web(&on(family)).rejections(),
                [format!(
                    "{path}: WindowsVersionUnsupported: EKS has no Windows nodes for {family}; use Windows Server 2019, 2022 or 2025"
                )]
            );
        }
        let fargate = format!("{FARGATE}, {}", on("WINDOWS_SERVER_2022_CORE"));
        assert!(web(&fargate).run().pod_spec()["os"].is_object());
        assert_eq!(
            web(&fargate)
                .settings(|settings| settings.compute = Compute::EksFargate)
                .rejections(),
            [format!(
                "{path}: WindowsOnFargate: EKS Fargate runs no Windows containers; run on nodes"
            )]
        );
    }

    #[test]
    fn a_sandbox_is_a_runtime_class() {
        let mode = |mode: &str| {
            web(&format!(
                r#""trustedExecutionConfiguration": {{"isolationMode": "{mode}"}}"#
            ))
            .settings(|settings| settings.isolated_sandbox_runtime_class = Some("kata".to_owned()))
        };
        let path = "trustedExecutionConfiguration.isolationMode";
        let shared = mode("SHARED").run();
        assert!(shared.pod_spec()["runtimeClassName"].is_null());
        assert!(shared.warnings().is_empty());
        let isolated = mode("ISOLATED_SANDBOX").run();
        assert_eq!(isolated.pod_spec()["runtimeClassName"], "kata");
        assert_eq!(
            isolated.warnings(),
            [format!("{path}: SandboxRuntimeClass")]
        );
        let without = |settings: &mut crate::settings::Settings| {
            settings.isolated_sandbox_runtime_class = None;
        };
        assert_eq!(
            mode("ISOLATED_SANDBOX").settings(without).rejections(),
            [format!(
                "{path}: SandboxNeedsRuntimeClass: ISOLATED_SANDBOX needs a RuntimeClass that isolates pods, such as kata; pass --isolated-sandbox-runtime-class with its name"
            )]
        );
        assert_eq!(
            mode("CONFIDENTIAL_SANDBOX").rejections(),
            [format!(
                "{path}: ConfidentialSandboxUnsupported: no Kubernetes equivalent of Nitro confidential sandboxes; use isolationMode SHARED or ISOLATED_SANDBOX, and no attestationPolicy"
            )]
        );
    }
}
