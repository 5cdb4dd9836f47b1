//! `cargo xtask kind`: a kind cluster with the operator and the example, for users with Docker.

use std::{env, path::PathBuf, process::Command};

use crate::{
    Result,
    install::{EXAMPLE_IMAGE, Installation, OPERATOR_IMAGE, SHOP},
    run::{execute, output, root, target},
    test::tests,
};

/// The cluster's name in `kind-config.yaml`.
const CLUSTER: &str = "ecs-operator";

/// Creates the cluster if it does not exist, builds the images and loads them, installs the operator and applies the
/// example. With `--test`, runs the end-to-end tests in it instead of the example.
///
/// # Errors
///
/// Returns an error if Docker or kind is not installed, or a step fails.
pub fn run(args: &[String]) -> Result<()> {
    let test = match args {
        [] => false,
        [only] if only == "--test" => true,
        _ => return Err("usage: cargo xtask kind [--test]".into()),
    };
    let name = format!("--name={CLUSTER}");
    let clusters = output(Command::new("kind").args(["get", "clusters"]))
        .map_err(|error| format!("{error}; kind is at https://kind.sigs.k8s.io"))?;
    if !clusters.lines().any(|cluster| cluster == CLUSTER) {
        let config = "--config=kind-config.yaml";
        execute(in_root("kind").args(["create", "cluster", config, "--wait=3m"]))?;
    }
    for (image, folder) in [
        (OPERATOR_IMAGE, "."),
        (EXAMPLE_IMAGE, "testbed/modules/example"),
    ] {
        execute(in_root("docker").args(["build", "--tag", image, folder]))?;
        execute(in_root("kind").args(["load", "docker-image", image, &name]))?;
    }
    let kubeconfig = kubeconfig(&name)?;
    let installation = Installation::new(kubeconfig.clone())?;
    installation.kubectl(&["apply", "--kustomize=kind/metrics-server"])?;
    if test {
        return execute(tests(["--test=e2e"]).env("E2E_KUBECONFIG", kubeconfig));
    }
    installation.operator()?;
    installation.example(&[SHOP])?;
    println!("\nexport KUBECONFIG={}", kubeconfig.display());
    println!(
        "kubectl port-forward service/web 8080 & curl http://localhost:8080/file/pages/index.html"
    );
    println!("kind delete cluster {name} ends it.");
    Ok(())
}

/// Writes the kubeconfig file of the cluster, so that no other cluster is changed.
fn kubeconfig(name: &str) -> Result<PathBuf> {
    let path = target().join("kind.kubeconfig");
    let path = env::current_dir()?.join(path);
    execute(
        Command::new("kind")
            .args(["export", "kubeconfig", name, "--kubeconfig"])
            .arg(&path),
    )?;
    Ok(path)
}

fn in_root(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}
