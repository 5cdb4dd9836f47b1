//! The operator as it is installed by Helm.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};
use ecs_operator_testbed::find;

/// The image that `examples/local/values.yaml` names.
pub const OPERATOR_IMAGE: &str = "ghcr.io/ecs-operator/ecs-operator:local";

/// Returns a template of the chart with a value more, which is JSON.
pub fn rendered(template: &str, value: &str) -> Result<String> {
    let output = Command::new(find("helm")?)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["template", "ecs-operator", "charts/ecs-operator"])
        .args(["--namespace=ecs-operator", "--kube-version=1.33.0"])
        .args(["--show-only", template])
        .args(["--set-json", value])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "helm: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Installs or upgrades the operator with these values more, and waits until its pods are ready.
pub fn helm(kubeconfig: &Path, values: &[&str]) -> Result<()> {
    let mut command = Command::new(find("helm")?);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args([
            "upgrade",
            "--install",
            "ecs-operator",
            "charts/ecs-operator",
        ])
        .args(["--namespace=ecs-operator", "--create-namespace"])
        .args([
            "--values=examples/local/values.yaml",
            "--wait",
            "--timeout=2m",
        ]);
    for value in values {
        command.args(["--set", value]);
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "helm: {said}");
    Ok(())
}
