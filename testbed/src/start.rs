//! Starts a control plane and waits until it can run pods.

use std::{net::TcpListener, path::Path, time::Duration};

use anyhow::Result;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client,
    api::{GetParams, PostParams},
    core::Request,
};
use serde_json::json;

use crate::{
    arguments,
    certificates::{Certificates, User},
    cluster::{ADMIN, Cluster},
    control_plane::Options,
    kubeconfig,
    namespace::Namespace,
    process::Process,
    processes::{self, Processes, Programs},
    wait::until,
};

/// The whole start takes 10 s on two idle cores, and several times that on busy ones.
pub(crate) const LIMIT: Duration = Duration::from_mins(3);

/// The name of the API server in the list of programs, whichever program it is.
const APISERVER: &str = "kube-apiserver";

const PROGRAMS: [&str; 4] = ["etcd", "kube-controller-manager", "kube-scheduler", "kwok"];

/// Returns the names of the programs that a control plane runs.
pub(crate) fn programs() -> Vec<&'static str> {
    [APISERVER].into_iter().chain(PROGRAMS).collect()
}

const USERS: [User; 4] = [
    User {
        file: ADMIN,
        name: ADMIN,
        group: Some("system:masters"),
    },
    User {
        file: "kube-controller-manager",
        name: "system:kube-controller-manager",
        group: None,
    },
    User {
        file: "kube-scheduler",
        name: "system:kube-scheduler",
        group: None,
    },
    User {
        file: "kwok",
        name: "kwok",
        group: Some("system:masters"),
    },
];

/// The parts of a control plane.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) cluster: Cluster,
    /// They are dropped in this order: the folder is deleted when no program writes to it any longer.
    processes: Processes,
    /// The arguments of the API server.
    apiserver: Vec<String>,
    _janitor: Option<Process>,
}

impl Running {
    pub(crate) async fn replace_apiserver(&mut self, program: &'static str) -> Result<()> {
        let processes = &mut self.processes;
        processes
            .replace(APISERVER, program, &self.apiserver)
            .await?;
        answers(processes, &self.cluster.kubeconfig()).await
    }
}

/// Starts everything and waits until a pod has run.
pub(crate) async fn start(options: &Options) -> Result<Running> {
    let mut programs = Programs::find(&PROGRAMS).await?;
    programs.add(options.apiserver).await?;
    let folder = processes::folder()?;
    let janitor = Process::janitor(&folder, None)?;
    let pki = certificates(&folder.join("pki"))?;
    let mut processes = Processes::new(&folder, programs);
    processes.start("etcd", &arguments::etcd(&folder))?;
    let (cluster, apiserver) = apiserver(&mut processes, &pki, options).await?;
    for user in &USERS {
        cluster.by_certificate(user.file, &pki.path(""))?;
    }
    let mut controllers = arguments::controller_manager(&cluster, &pki, options.autoscaler_sync);
    if !options.controllers.is_empty() {
        controllers.push(format!("--controllers={}", options.controllers.join(",")));
    }
    processes.start("kube-controller-manager", &controllers)?;
    processes.start("kube-scheduler", &arguments::scheduler(&cluster))?;
    processes.start("kwok", &arguments::kwok(&cluster))?;
    let admin = cluster.path(ADMIN);
    let client = kubeconfig::client(&admin).await?;
    tokio::select! {
        ready = first_pod(&client, &admin, options.nodes) => ready?,
        failed = processes.failure() => return Err(failed),
    }
    Ok(Running {
        cluster,
        processes,
        apiserver,
        _janitor: janitor,
    })
}

fn certificates(folder: &Path) -> Result<Certificates> {
    let pki = Certificates::create(folder)?;
    pki.server(
        "kube-apiserver",
        &[
            "localhost",
            "kubernetes.default.svc",
            "127.0.0.1",
            "10.96.0.1",
        ],
    )?;
    pki.pair("service-account")?;
    for user in &USERS {
        pki.client(user)?;
    }
    Ok(pki)
}

/// Starts the API server on a free port and waits until it is ready. Also returns its arguments.
async fn apiserver(
    processes: &mut Processes,
    pki: &Certificates,
    options: &Options,
) -> Result<(Cluster, Vec<String>)> {
    let mut attempts = 5;
    loop {
        // Another program may take the port before the API server does.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let cluster = Cluster {
            server: format!("https://127.0.0.1:{port}"),
            authority: pki.path("ca.crt"),
            folder: processes.folder().to_owned(),
        };
        let mut args = arguments::apiserver(&cluster.folder, pki, port);
        args.extend(options.apiserver_args.iter().cloned());
        processes.start_as(APISERVER, options.apiserver, &[], &args)?;
        match ready(processes, &cluster, pki).await {
            Ok(()) => return Ok((cluster, args)),
            Err(error) if attempts > 0 && error.to_string().contains("address already in use") => {
                attempts -= 1;
                processes.stop_last();
            }
            Err(error) => return Err(error),
        }
    }
}

/// Waits until the API server is ready, including everything that it creates for itself at the first start.
pub(crate) async fn ready(
    processes: &mut Processes,
    cluster: &Cluster,
    pki: &Certificates,
) -> Result<()> {
    answers(processes, &cluster.by_certificate(ADMIN, &pki.path(""))?).await
}

/// Waits until the API server is ready for the user of a kubeconfig file.
async fn answers(processes: &mut Processes, kubeconfig: &Path) -> Result<()> {
    let client = kubeconfig::client(kubeconfig).await?;
    until("the API server", LIMIT, async || {
        processes.check()?;
        let request = Request::new("").get("readyz", &GetParams::default())?;
        Ok(client.request_text(request).await.is_ok().then_some(()))
    })
    .await
}

/// Creates the nodes and runs a pod, which requires every part: the controller manager creates its service account, the
/// scheduler binds it and a node runs it.
async fn first_pod(client: &Client, admin: &Path, nodes: usize) -> Result<()> {
    let api: Api<Node> = Api::all(client.clone());
    for number in 1..=nodes {
        api.create(&PostParams::default(), &node(number)?).await?;
    }
    if nodes == 0 {
        return Ok(());
    }
    let namespace = Namespace::create(client, admin, "testbed").await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace.name());
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "first"},
        "spec": {"containers": [{"name": "first", "image": "first"}]},
    }))?;
    pods.create(&PostParams::default(), &pod).await?;
    until("the first pod to run", LIMIT, async || {
        let phase = pods
            .get("first")
            .await?
            .status
            .and_then(|status| status.phase);
        Ok((phase.as_deref() == Some("Running")).then_some(()))
    })
    .await
}

/// Returns a node that kwok simulates; it has no taint, so every pod may run on it.
fn node(number: usize) -> Result<Node> {
    let name = format!("node-{number}");
    let zone = char::from(b'a' + u8::try_from((number - 1) % 3)?);
    Ok(serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "topology.kubernetes.io/region": "local",
                "topology.kubernetes.io/zone": format!("local-{zone}"),
            },
        },
    }))?)
}
