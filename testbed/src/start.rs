//! The way from nothing to pods that run.

use std::{
    collections::BTreeMap,
    env,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client,
    api::{GetParams, PostParams},
    core::Request,
};
use serde_json::json;

use crate::{
    arguments, binaries,
    certificates::{Certificates, User},
    control_plane::Options,
    kubeconfig::{self, Cluster},
    namespace::Namespace,
    process::Process,
    wait::until,
};

/// The user who may do everything.
pub(crate) const ADMIN: &str = "admin";

/// Set to anything, it leaves the folder of a control plane, with its logs, where it is.
const KEEP: &str = "ECS_OPERATOR_TESTBED_KEEP";

/// All of it takes 10 s on two cores, and several times that when they have other work.
const LIMIT: Duration = Duration::from_mins(3);

const PROGRAMS: [&str; 5] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
];

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

/// What a control plane consists of.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) cluster: Cluster,
    /// Dropped in this order: the folder goes when nobody writes to it any more.
    _processes: Processes,
    _janitor: Option<Process>,
}

/// Starts everything and waits until a pod has run.
pub(crate) async fn start(options: &Options) -> Result<Running> {
    let programs = tokio::task::spawn_blocking(|| {
        PROGRAMS
            .into_iter()
            .map(|name| Ok((name, binaries::find(name)?)))
            .collect::<Result<BTreeMap<_, _>>>()
    })
    .await??;
    let folder = tempfile::Builder::new()
        .prefix("ecs-operator-testbed-")
        .tempdir()
        .context("make a folder for the control plane")?
        .keep();
    let janitor = match env::var_os(KEEP) {
        None => Some(Process::janitor(&folder, &folder)?),
        Some(_) => None,
    };
    let pki = certificates(&folder.join("pki"))?;
    let mut processes = Processes {
        folder: folder.clone(),
        programs,
        list: Vec::new(),
    };
    processes.start("etcd", &arguments::etcd(&folder))?;
    let cluster = apiserver(&mut processes, &pki, options).await?;
    for user in &USERS {
        cluster.by_certificate(user.file, &pki.path(""))?;
    }
    processes.start(
        "kube-controller-manager",
        &arguments::controller_manager(&cluster, &pki, options),
    )?;
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
        _processes: processes,
        _janitor: janitor,
    })
}

/// Programs that run.
#[derive(Debug)]
struct Processes {
    folder: PathBuf,
    programs: BTreeMap<&'static str, PathBuf>,
    list: Vec<Process>,
}

impl Processes {
    fn start(&mut self, name: &str, args: &[String]) -> Result<()> {
        let program = self
            .programs
            .get(name)
            .with_context(|| format!("no {name}"))?;
        self.list
            .push(Process::start(name, &self.folder, program, args)?);
        Ok(())
    }

    /// An error when one has ended, since none should.
    fn check(&mut self) -> Result<()> {
        for process in &mut self.list {
            if let Some(status) = process.ended()? {
                bail!(
                    "{} ended ({status}):\n{}",
                    process.name(),
                    process.last_words()
                );
            }
        }
        Ok(())
    }

    /// Waits for one to end.
    async fn failure(&mut self) -> anyhow::Error {
        let failed = until("a process to end", LIMIT * 2, async || {
            self.check().map(|()| None::<()>)
        });
        failed
            .await
            .err()
            .unwrap_or_else(|| anyhow::anyhow!("a process ended"))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // What depends on others goes first, so that the logs end without errors.
        while self.list.pop().is_some() {}
    }
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

/// Starts the API server on a free port and waits until it is ready.
async fn apiserver(
    processes: &mut Processes,
    pki: &Certificates,
    options: &Options,
) -> Result<Cluster> {
    let mut attempts = 5;
    loop {
        // Somebody else may take the port before the API server does.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let cluster = Cluster {
            server: format!("https://127.0.0.1:{port}"),
            authority: pki.path("ca.crt"),
            folder: processes.folder.clone(),
        };
        let args = arguments::apiserver(&cluster.folder, pki, port, options);
        processes.start("kube-apiserver", &args)?;
        let client = kubeconfig::client(&cluster.by_certificate(ADMIN, &pki.path(""))?).await?;
        let ready = until("the API server", LIMIT, async || {
            processes.check()?;
            let request = Request::new("").get("readyz", &GetParams::default())?;
            Ok(client.request_text(request).await.is_ok().then_some(()))
        });
        match ready.await {
            Ok(()) => return Ok(cluster),
            Err(error) if attempts > 0 && error.to_string().contains("address already in use") => {
                attempts -= 1;
                processes.list.pop();
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes the nodes and runs a pod, which needs every part: the controller manager makes its service account, the
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

/// A node that kwok plays; it has no taint, so every pod may run on it.
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
