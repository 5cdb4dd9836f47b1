//! `cargo xtask up`: a local cluster with the operator at work, for a person to look at.

use std::{
    env::consts::EXE_SUFFIX, ffi::OsString, fs, path::Path, process::Command, time::Duration,
};

use ecs_operator_testbed::{Cluster, ControlPlane, Image, Node, Process, find, missing, until};
use tokio::{net::TcpStream, runtime::Runtime, signal};

use crate::{
    Result, packages,
    run::{cargo, execute, root, target},
};

/// The namespace and the name of the operator in the plain manifests.
const OPERATOR: &str = "ecs-operator";
/// Where the operator serves health and metrics.
const LISTEN: &str = "127.0.0.1:8080";
/// The kinds of the plain manifests that run the operator in the cluster. Here it runs beside it, with the same rights.
const RUNNING: &[&str] = &["Deployment", "PodDisruptionBudget", "Service"];
/// How long the example may take.
const PATIENCE: &str = "--timeout=180s";

/// Starts a cluster and the operator, applies an example and waits until it is stable; then runs until Ctrl-C, or with
/// `--check` ends.
///
/// # Errors
///
/// When something does not start, or the example does not become stable.
pub fn run(args: &[String]) -> Result<()> {
    let check = match args {
        [] => false,
        [only] if only == "--check" => true,
        _ => return Err("usage: cargo xtask up [--check]".into()),
    };
    execute(&mut cargo(["build", "--release", "--locked"]))?;
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        if missing().root {
            eprintln!("without root there are no real pods: nodes are simulated, and nothing answers");
            let plane = ControlPlane::start().await?;
            show(&plane, check).await
        } else {
            packages::install_missing()?;
            eprintln!("starting a node; the first time its programs are built with Go, which takes about a quarter of an hour");
            let node = Node::start().await?;
            node.push("example:1", &Image::of_program(find("example")?)?)?;
            show(&node, check).await
        }
    })
}

async fn show(cluster: &Cluster, check: bool) -> Result<()> {
    let kubectl = |args: &[&str]| -> Result<()> {
        let mut command = Command::new(find("kubectl")?);
        execute(
            command
                .arg("--kubeconfig")
                .arg(cluster.kubeconfig())
                .args(args)
                .current_dir(root()),
        )
    };
    cluster.install_crds(root().join("crds")).await?;
    cluster
        .apply(
            OPERATOR,
            &rights(&fs::read_to_string(root().join("deploy/operator.yaml"))?),
        )
        .await?;
    let _operator = start(cluster).await?;
    kubectl(&["apply", "-f", "examples/local/resources.yaml"])?;
    kubectl(&["wait", "--for=condition=Ready", "ecsservice/web", PATIENCE])?;
    if !missing().root {
        kubectl(&[
            "wait",
            "--for=jsonpath={.status.lastStatus}=STOPPED",
            "ecstask/migrate",
            PATIENCE,
        ])?;
    }
    kubectl(&["get", "ecs,deployments,services,poddisruptionbudgets,pods"])?;
    if check {
        return Ok(());
    }
    println!("\nexport KUBECONFIG={}", cluster.kubeconfig().display());
    println!("curl {LISTEN}/metrics");
    println!("kubectl get --raw /api/v1/namespaces/default/services/web:8080/proxy/\n");
    println!("Ctrl-C ends it, and leaves nothing behind.");
    signal::ctrl_c().await?;
    Ok(())
}

/// The plain manifests without what runs the operator in the cluster.
fn rights(manifests: &str) -> String {
    let gives_rights = |document: &&str| {
        let kind = document
            .lines()
            .find_map(|line| line.strip_prefix("kind: "));
        kind.is_some_and(|kind| !RUNNING.contains(&kind))
    };
    let documents: Vec<&str> = manifests.split("\n---\n").filter(gives_rights).collect();
    documents.join("\n---\n")
}

/// Starts the operator with the rights of the plain manifests.
async fn start(cluster: &Cluster) -> Result<Process> {
    let kubeconfig = cluster
        .kubeconfig_for_service_account(OPERATOR, OPERATOR)
        .await?;
    let program = target()
        .join("release")
        .join(format!("ecs-operator{EXE_SUFFIX}"));
    let line = [
        "env".to_owned(),
        format!("KUBECONFIG={}", kubeconfig.display()),
        program.display().to_string(),
        "controller".to_owned(),
        format!("--listen={LISTEN}"),
        "--platform=kubernetes".to_owned(),
        "--iam=none".to_owned(),
        "--image-pull-policy=if-not-present".to_owned(),
        "--steady-seconds=0".to_owned(),
    ]
    .map(OsString::from);
    let process = Process::start("operator", Path::new(cluster.folder()), &line)?;
    until(
        "the operator to listen",
        Duration::from_mins(1),
        async || Ok(TcpStream::connect(LISTEN).await.ok()),
    )
    .await
    .map_err(|error| format!("{error}:\n{}", process.last_words()))?;
    Ok(process)
}
