//! Installs the operator and an example in a cluster.

use std::{path::PathBuf, process::Command};

use ecs_operator_testbed::find;

use crate::{
    Result, chart,
    run::{execute, root},
};

/// The image of the operator in the values of the example.
pub const OPERATOR_IMAGE: &str = "ghcr.io/ecs-operator/ecs-operator:local";
/// The image of the example's containers.
pub const EXAMPLE_IMAGE: &str = "example:1";

/// The folder of the example.
const EXAMPLE: &str = "examples/local";
/// The file of the example that every cluster can run.
pub const SHOP: &str = "resources.yaml";
/// The file of the example that requires the EFS CSI driver.
pub const SHARED: &str = "shared.yaml";
/// The timeout for the operator, and then for the example.
const PATIENCE: &str = "--timeout=180s";

/// The cluster of a kubeconfig file.
pub struct Installation {
    kubeconfig: PathBuf,
    /// The program, found only by its name if it is installed.
    pub kubectl: PathBuf,
}

impl Installation {
    /// Prepares an installation, without changing the cluster.
    ///
    /// # Errors
    ///
    /// Returns an error if kubectl is not available.
    pub fn new(kubeconfig: PathBuf) -> Result<Self> {
        let installed = Command::new("kubectl")
            .args(["version", "--client"])
            .output();
        let kubectl = if installed.is_ok_and(|output| output.status.success()) {
            "kubectl".into()
        } else {
            find("kubectl")?
        };
        Ok(Self {
            kubeconfig,
            kubectl,
        })
    }

    /// Installs or upgrades the operator with its chart, and waits until its pods are ready.
    ///
    /// # Errors
    ///
    /// Returns an error if Helm is not available, or the pods do not become ready.
    pub fn operator(&self) -> Result<()> {
        let mut helm = chart::helm_command(&chart::helm()?);
        helm.args(["upgrade", "--install", "ecs-operator", chart::CHART])
            .args(["--namespace=ecs-operator", "--create-namespace", "--wait"])
            .arg(PATIENCE)
            .arg(format!("--values={EXAMPLE}/values.yaml"))
            .arg("--kubeconfig")
            .arg(&self.kubeconfig);
        execute(&mut helm)
    }

    /// Applies these files of the example, waits until its services are steady, and shows the created objects.
    ///
    /// # Errors
    ///
    /// Returns an error if it does not become steady.
    pub fn example(&self, files: &[&str]) -> Result<()> {
        for file in files {
            self.kubectl(&["apply", &format!("--filename={EXAMPLE}/{file}")])?;
        }
        self.kubectl(&[
            "wait",
            "--for=condition=Ready",
            "ecsservice",
            "--all",
            PATIENCE,
        ])?;
        self.kubectl(&["get", "ecs"])?;
        self.kubectl(&[
            "get",
            "deployments,daemonsets,services,horizontalpodautoscalers,poddisruptionbudgets,pods",
            "--output=wide",
        ])
    }

    /// Runs kubectl.
    ///
    /// # Errors
    ///
    /// Returns an error if it fails.
    pub fn kubectl(&self, args: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        execute(command.args(args).current_dir(root()))
    }
}
