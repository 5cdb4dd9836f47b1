//! `cargo xtask up`: runs a local cluster with the operator, for a user to try.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use ecs_operator_testbed::{
    Cluster, ControlPlane, Image, Node, Process, client, find, missing, unbuilt, until,
};
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
    signal,
};

use crate::{
    Result,
    install::{EXAMPLE_IMAGE, Installation, OPERATOR_IMAGE, SHARED, SHOP},
    program::{Profile, built},
    run::root,
};

/// The namespace and the name of the operator.
const OPERATOR: &str = "ecs-operator";
/// The file system that tasks of the example share.
const FILE_SYSTEM: &str = "fs-0123456789abcdef0";
/// The file in it.
const SHARED_FILE: &str = "fruit.txt";
/// The address of health and metrics when the operator runs outside the cluster.
const LISTEN: &str = "127.0.0.1:8080";
/// The compile time of the operator on two cores.
const OPERATOR_SECONDS: u32 = 240;
/// The kinds in the plain manifests that run the operator in the cluster.
const RUNNING: &[&str] = &["Deployment", "PodDisruptionBudget", "Service"];

/// Starts a cluster and the operator, applies an example and waits until it is stable; then runs until Ctrl-C, or exits
/// with `--check`.
///
/// # Errors
///
/// Returns an error if something does not start, or the example does not become stable.
pub fn run(args: &[String]) -> Result<()> {
    let check = match args {
        [] => false,
        [only] if only == "--check" => true,
        _ => return Err("usage: cargo xtask up [--check]".into()),
    };
    let real = !missing().root;
    let program = build(real)?;
    eprintln!("starting the cluster");
    Runtime::new()?.block_on(async {
        if real {
            real_pods(&program, check).await
        } else {
            eprintln!(
                "without root there are no real pods: nodes are simulated, and nothing answers"
            );
            simulated(&program, check).await
        }
    })
}

/// Builds the operator and, concurrently, the programs of the cluster.
fn build(real: bool) -> Result<PathBuf> {
    let mut programs: Vec<&'static str> = if real {
        [Node::programs(), &["example", "helm"]].concat()
    } else {
        ControlPlane::programs()
    };
    programs.push("kubectl");
    let (programs, seconds) = unbuilt(&programs);
    if programs.is_empty() {
        eprintln!("building the operator: about 4 minutes the first time, seconds after that");
        return built(Profile::Local);
    }
    eprintln!(
        "The first start builds {} programs of Kubernetes with Go and the operator with cargo: about {} minutes on \
         2 cores, fewer on more. They are kept, and the next start takes less than a minute.",
        programs.len(),
        (seconds + OPERATOR_SECONDS).div_ceil(60)
    );
    let cluster = thread::spawn(move || -> Result<(), String> {
        for (number, name) in (1..).zip(&programs) {
            eprintln!("[{number}/{}] {name}", programs.len());
            find(name).map_err(|error| format!("{error:#}"))?;
        }
        Ok(())
    });
    let program = built(Profile::Local);
    let built_cluster = cluster
        .join()
        .map_err(|_| "a build of the cluster panicked")?;
    built_cluster?;
    program
}

async fn real_pods(program: &Path, check: bool) -> Result<()> {
    let node = Node::start().await?;
    node.push(EXAMPLE_IMAGE, &Image::of_program(find("example")?)?)?;
    node.push(OPERATOR_IMAGE, &Image::of_program(program)?)?;
    let folder = node.file_system(FILE_SYSTEM)?;
    let installation = Installation::new(node.kubeconfig())?;
    installation.operator()?;
    installation.example(&[SHOP, SHARED])?;
    installation.kubectl(&[
        "wait",
        "--for=jsonpath={.status.tasks[0].containers[0].exitCode}=0",
        "ecstask/visit",
        "ecstask/restock",
        "--timeout=60s",
    ])?;
    let (shop, stock) = (reach(&node, "web").await?, reach(&node, "stock").await?);
    let path = format!("/file/stock/{SHARED_FILE}");
    let written = fs::read_to_string(folder.join(SHARED_FILE))?;
    until("the shared file", Duration::from_mins(1), async || {
        let answer = get(stock, &path).await.unwrap_or_default();
        Ok(answer.ends_with(&written).then_some(()))
    })
    .await?;
    if check {
        return Ok(());
    }
    println!("\nThe shop: curl http://{shop}/file/pages/");
    println!("What its tasks share: curl http://{stock}{path}");
    println!("Of images there is only {EXAMPLE_IMAGE}, unless the nodes can reach a registry.");
    until_interrupted(&node, program, &installation).await
}

/// Forwards a loopback address to a service of the example.
async fn reach(node: &Node, name: &str) -> Result<SocketAddr> {
    let services: Api<Service> = Api::namespaced(client(&node.kubeconfig()).await?, "default");
    let spec = services.get(name).await?.spec.unwrap_or_default();
    let address = format!("{}:8080", spec.cluster_ip.unwrap_or_default());
    Ok(node.forward(address.parse()?)?)
}

/// Returns the answer of a service of the example, with its head.
async fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: shop\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn simulated(program: &Path, check: bool) -> Result<()> {
    let plane = ControlPlane::start().await?;
    plane.install_crds(root().join("crds")).await?;
    let manifests = fs::read_to_string(root().join("deploy/operator.yaml"))?;
    plane.apply(OPERATOR, &rights(&manifests)).await?;
    let _operator = beside(&plane, program).await?;
    let installation = Installation::new(plane.kubeconfig())?;
    installation.example(&[SHOP, SHARED])?;
    if check {
        return Ok(());
    }
    println!("\nThe operator: curl http://{LISTEN}/metrics");
    until_interrupted(&plane, program, &installation).await
}

async fn until_interrupted(
    cluster: &Cluster,
    program: &Path,
    installation: &Installation,
) -> Result<()> {
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    let programs = [program, installation.kubectl.as_path()];
    let folders = programs.iter().filter_map(|program| program.parent());
    let folders: Vec<String> = folders
        .map(|folder| folder.display().to_string())
        .filter(|folder| !folder.is_empty())
        .collect();
    println!("export PATH={}:$PATH", folders.join(":"));
    println!("Ctrl-C ends it, and leaves nothing behind.");
    Ok(signal::ctrl_c().await?)
}

/// Returns the plain manifests without the objects that run the operator in the cluster.
fn rights(manifests: &str) -> String {
    let gives_rights = |document: &&str| {
        let mut lines = document.lines();
        let kind = lines.find_map(|line| line.strip_prefix("kind: "));
        kind.is_some_and(|kind| !RUNNING.contains(&kind))
    };
    let documents: Vec<&str> = manifests.split("\n---\n").filter(gives_rights).collect();
    documents.join("\n---\n")
}

/// Starts the operator outside the cluster, with the permissions that it would have inside.
async fn beside(cluster: &Cluster, program: &Path) -> Result<Process> {
    let kubeconfig = cluster
        .kubeconfig_for_service_account(OPERATOR, OPERATOR)
        .await?;
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
        "--tenancy=single".to_owned(),
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
