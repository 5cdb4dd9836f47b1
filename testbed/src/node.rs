//! A real node that runs pods as containers, with a network and a registry.

use std::{
    net::SocketAddr,
    ops::Deref,
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::Result;
use k8s_openapi::api::core::v1::Node as Object;
use kube::{Api, Client};
use tokio::sync::OnceCell;

use crate::{
    arguments,
    certificates::{Certificates, User},
    cluster::{ADMIN, Cluster},
    image::Image,
    node_files::{FIRST, Files, Machine, PAUSE, SECOND},
    process::Process,
    processes::{self, Processes, Programs},
    registry::Registry,
    requirements::require,
    sandbox::{ADDRESS, Inside, SECOND_ADDRESS, Sandbox},
    shared_storage,
    start::{LIMIT, ready},
    wait::until,
};

const OBJECTS: &str = include_str!("../node/objects.yaml");

const PROGRAMS: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "containerd",
    "containerd-shim-runc-v2",
    "runc",
    "bridge",
    "loopback",
    "host-local",
    "portmap",
    "pause",
    "metrics-server",
    "coredns",
    "nfs",
];

const USERS: [User; 8] = [
    user(ADMIN, ADMIN, Some("system:masters")),
    user(
        "kube-controller-manager",
        "system:kube-controller-manager",
        None,
    ),
    user("kube-scheduler", "system:kube-scheduler", None),
    user("kubelet", "system:node:node-1", Some("system:nodes")),
    user("kubelet-2", "system:node:node-2", Some("system:nodes")),
    user("kubelet-client", "kubelet-client", Some("system:masters")),
    user("kube-proxy", "system:kube-proxy", None),
    user(
        "metrics-server",
        "system:serviceaccount:kube-system:metrics-server",
        None,
    ),
];

const fn user(file: &'static str, name: &'static str, group: Option<&'static str>) -> User {
    User { file, name, group }
}

/// Shows the kubelet its expected values in place of three settings of the machine, which it would change otherwise; if
/// it is not allowed to, it does not start. It does not start either before containerd listens.
const SETTINGS: &str = "until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done; \
    mount --make-private /proc && for setting in kernel/panic kernel/panic_on_oops \
    vm/overcommit_memory; do mount --bind /run/sysctl/${setting#*/} /proc/sys/$setting || exit 1; done; exec \"$@\"";

/// Runs containerd with its own folders at the path that the kubelet and all other programs use. Mounts of pods have to
/// be visible to the kubelet. $1: folder of the node; the rest is the command.
const APART: &str = "mount --make-rprivate / && mount --make-rshared / && mkdir -p /run/containerd \"$1/run\" \"$1/kubelet\" \
    && mount --bind \"$1/run\" /run/containerd && mount --bind \"$1/kubelet\" /var/lib/kubelet \
    && echo $$ >\"$1/pid\" && shift && exec \"$@\"";

/// Runs a command in the mount namespace of the containerd of that folder. $1: folder of the node; the rest is the
/// command.
pub(crate) const WITH: &str = "until [ -s \"$1/pid\" ]; do sleep 0.1; done; space=/proc/$(cat \"$1/pid\")/ns/mnt; shift; \
    exec nsenter --mount=$space \"$@\"";

/// The options of a node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The interval at which HorizontalPodAutoscalers are evaluated; the default of Kubernetes is 15 s.
    pub autoscaler_sync: Duration,
    /// Whether there is a second node, with its own kubelet and containers in the network of the first.
    pub second: bool,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            autoscaler_sync: Duration::from_secs(5),
            second: false,
        }
    }
}

/// A cluster of one real node: containerd, the kubelet, kube-proxy, cluster DNS, the metrics API and a registry.
///
/// It has its own namespaces and no access to the outside: no images are pulled from elsewhere. Everything ends when it
/// is dropped, or when this process ends in any way.
#[derive(Debug)]
pub struct Node {
    cluster: Cluster,
    registry: Registry,
    // They are dropped in this order: ending the sandbox ends everything that runs in it, and the folder is deleted
    // last.
    inside: Inside,
    sandbox: Sandbox,
    _processes: Processes,
    _janitor: Option<Process>,
}

impl Node {
    /// Returns the names of the programs that a node runs.
    pub const fn programs() -> &'static [&'static str] {
        PROGRAMS
    }

    /// Returns the node that all tests of a test binary share, and starts it at the first call.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Node> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// Starts a node and waits until it is ready. The error lists unmet requirements of the machine.
    pub async fn start() -> Result<Self> {
        Self::start_with(&NodeOptions::default()).await
    }

    /// Starts a node with options and waits until it is ready.
    pub async fn start_with(options: &NodeOptions) -> Result<Self> {
        require()?;
        let programs = Programs::find(PROGRAMS).await?;
        let pause = Image::of_program(programs.path("pause")?)?;
        let folder = processes::folder()?;
        let cgroup = cgroup();
        let janitor = Process::janitor(&folder, Some(&cgroup))?;
        let sandbox = Sandbox::start(&folder, &cgroup, programs.path("nfs")?).await?;
        let registry = Registry::default();
        registry.push(PAUSE, pause.pack()?);
        let inside = sandbox.inside(registry.clone())?;
        // The port is the same inside and outside, so that one kubeconfig file works for both.
        let address = inside.forward(|port| format!("127.0.0.1:{port}"))?;
        let pki = certificates(&folder.join("pki"))?;
        let cluster = Cluster {
            server: format!("https://{address}"),
            authority: pki.path("ca.crt"),
            folder,
        };
        for user in &USERS {
            cluster.by_certificate(user.file, &pki.path(""))?;
        }
        let mut processes = Processes::new(&cluster.folder, programs);
        processes.wrap(sandbox.enter());
        let mut starting = Starting {
            cluster: &cluster,
            pki: &pki,
            cgroup: &cgroup,
            processes: &mut processes,
        };
        starting.control_plane(address.port(), options).await?;
        starting.node(options.second).await?;
        Ok(Self {
            cluster,
            registry,
            inside,
            sandbox,
            _processes: processes,
            _janitor: janitor,
        })
    }

    /// Pushes an image to the registry under the name that pods use, whatever registry that contains; returns its
    /// digest.
    pub fn push(&self, name: &str, image: &Image) -> Result<String> {
        Ok(self.registry.push(name, image.pack()?))
    }

    pub(crate) const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Forwards an address on loopback outside to an address in the cluster, such as that of a Service with its port.
    pub fn forward(&self, target: SocketAddr) -> Result<SocketAddr> {
        self.inside.forward(|_| target.to_string())
    }
}

impl Deref for Node {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

/// Returns the control group of this node, since two kubelets in the same group remove each other's pods.
fn cgroup() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("ecs-operator-testbed-{}-{count}", process::id())
}

fn certificates(folder: &Path) -> Result<Certificates> {
    let pki = Certificates::create(folder)?;
    let apiserver = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "127.0.0.1",
        "10.96.0.1",
        ADDRESS,
    ];
    pki.server("kube-apiserver", &apiserver)?;
    pki.server(
        "kubelet-server",
        &[FIRST.name, ADDRESS, SECOND.name, SECOND_ADDRESS],
    )?;
    pki.server("metrics-serving", &["metrics-server.kube-system.svc"])?;
    pki.pair("service-account")?;
    for user in &USERS {
        pki.client(user)?;
    }
    Certificates::create(&folder.join("front-proxy"))?.client(&user(
        "front-proxy",
        "front-proxy",
        None,
    ))?;
    Ok(pki)
}

struct Starting<'a> {
    cluster: &'a Cluster,
    pki: &'a Certificates,
    cgroup: &'a str,
    processes: &'a mut Processes,
}

impl Starting<'_> {
    fn files(&self) -> Files<'_> {
        Files {
            cluster: self.cluster,
            pki: self.pki,
            programs: self.processes.programs(),
            cgroup: self.cgroup,
        }
    }

    async fn control_plane(&mut self, port: u16, options: &NodeOptions) -> Result<()> {
        self.processes
            .start("etcd", &arguments::etcd(&self.cluster.folder))?;
        let mut args = arguments::apiserver(&self.cluster.folder, self.pki, port);
        args.extend(self.files().apiserver_args());
        self.processes.start("kube-apiserver", &args)?;
        self.files().write()?;
        let containerd = self.files().containerd_args(FIRST);
        self.processes.start("containerd", &containerd)?;
        ready(self.processes, self.cluster, self.pki).await?;
        let args = arguments::controller_manager(self.cluster, self.pki, options.autoscaler_sync);
        self.processes.start("kube-controller-manager", &args)?;
        self.processes
            .start("kube-scheduler", &arguments::scheduler(self.cluster))?;
        self.cluster.apply("default", OBJECTS).await
    }

    async fn node(&mut self, second: bool) -> Result<()> {
        let kubelet = self.files().kubelet_args(FIRST);
        self.processes
            .start_by("kubelet", &shown_settings(), &kubelet)?;
        if second {
            self.second_node()?;
        }
        let kube_proxy = self.files().kube_proxy_args();
        self.processes.start("kube-proxy", &kube_proxy)?;
        let metrics = self.files().metrics_server_args();
        self.processes.start("metrics-server", &metrics)?;
        let dns = self.files().coredns_args();
        self.processes.start("coredns", &dns)?;
        let folder = second.then(|| self.second_folder());
        let server = self.files().nfs_server_args()?;
        shared_storage::start(self.processes, &server, folder.as_deref())?;
        let client = self.cluster.client().await?;
        tokio::select! {
            ready = nodes_ready(&client, second) => ready,
            failed = self.processes.failure() => Err(failed),
        }
    }

    fn second_folder(&self) -> String {
        self.cluster.folder.join(SECOND.name).display().to_string()
    }

    fn second_node(&mut self) -> Result<()> {
        let folder = self.second_folder();
        let containerd = self.files().containerd_args(SECOND);
        let by = ["unshare", "--mount", "sh", "-c", APART, "apart", &folder];
        self.processes
            .start_as("containerd-2", "containerd", &by, &containerd)?;
        let kubelet = self.files().kubelet_args(SECOND);
        let mut by = vec!["sh", "-c", WITH, "with", &folder];
        by.extend(shown_settings());
        self.processes
            .start_as("kubelet-2", "kubelet", &by, &kubelet)
    }
}

/// Returns the settings as a kubelet sees them.
fn shown_settings() -> [&'static str; 7] {
    [
        "unshare",
        "--mount",
        "--propagation=unchanged",
        "sh",
        "-c",
        SETTINGS,
        "kubelet",
    ]
}

async fn nodes_ready(client: &Client, second: bool) -> Result<()> {
    node_ready(client, FIRST).await?;
    if second {
        node_ready(client, SECOND).await?;
    }
    Ok(())
}

async fn node_ready(client: &Client, machine: Machine) -> Result<()> {
    let nodes: Api<Object> = Api::all(client.clone());
    until(
        &format!("{} to be ready", machine.name),
        LIMIT,
        async || {
            let node = nodes.get_opt(machine.name).await?;
            let conditions = node
                .and_then(|node| node.status?.conditions)
                .unwrap_or_default();
            let ready = conditions
                .iter()
                .any(|condition| condition.type_ == "Ready" && condition.status == "True");
            Ok(ready.then_some(()))
        },
    )
    .await
}
