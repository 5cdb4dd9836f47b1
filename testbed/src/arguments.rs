//! The arguments of the programs.

use std::{path::Path, time::Duration};

use crate::{certificates::Certificates, cluster::Cluster};

/// The behavior of the simulated nodes.
const STAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kwok/stages.yaml");

/// Clients connect through a socket file, so no port can be in use already, and there are no peers.
pub(crate) fn etcd(folder: &Path) -> Vec<String> {
    let folder = folder.display();
    vec![
        "--name=testbed".to_owned(),
        "--initial-cluster=testbed=http://localhost:2380".to_owned(),
        format!("--data-dir={folder}/etcd"),
        // Data that is lost when the machine stops does not matter.
        "--unsafe-no-fsync".to_owned(),
        format!("--quota-backend-bytes={}", 8_u64 << 30),
        format!("--listen-client-urls=unix://{folder}/etcd.sock"),
        "--advertise-client-urls=http://localhost:2379".to_owned(),
        format!("--listen-peer-urls=unix://{folder}/peer.sock"),
        "--log-level=warn".to_owned(),
    ]
}

pub(crate) fn apiserver(folder: &Path, pki: &Certificates, port: u16) -> Vec<String> {
    let file = |name: &str| pki.path(name).display().to_string();
    vec![
        format!("--etcd-servers=unix://{}/etcd.sock", folder.display()),
        "--bind-address=127.0.0.1".to_owned(),
        // Its address for clients on other machines; nothing uses it.
        "--advertise-address=127.0.0.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", file("kube-apiserver.crt")),
        format!("--tls-private-key-file={}", file("kube-apiserver.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--service-account-key-file={}", file("service-account.pub")),
        format!(
            "--service-account-signing-key-file={}",
            file("service-account.key")
        ),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        // One client may cause the whole load: fairness between clients would only slow it down.
        "--max-requests-inflight=2000".to_owned(),
        "--max-mutating-requests-inflight=1000".to_owned(),
    ]
}

pub(crate) fn controller_manager(
    cluster: &Cluster,
    pki: &Certificates,
    autoscaler_sync: Duration,
) -> Vec<String> {
    let mut args = client(cluster, "kube-controller-manager");
    args.extend([
        "--use-service-account-credentials".to_owned(),
        format!("--root-ca-file={}", cluster.authority.display()),
        format!(
            "--service-account-private-key-file={}",
            pki.path("service-account.key").display()
        ),
        // By default it is a folder that only root can create.
        format!("--flex-volume-plugin-dir={}/flex", cluster.folder.display()),
        format!(
            "--horizontal-pod-autoscaler-sync-period={}ms",
            autoscaler_sync.as_millis()
        ),
        "--horizontal-pod-autoscaler-downscale-stabilization=5s".to_owned(),
    ]);
    args
}

pub(crate) fn scheduler(cluster: &Cluster) -> Vec<String> {
    client(cluster, "kube-scheduler")
}

pub(crate) fn kwok(cluster: &Cluster) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", cluster.path("kwok").display()),
        format!("--config={STAGES}"),
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake".to_owned(),
        "--node-lease-duration-seconds=40".to_owned(),
        "--node-ip=10.200.0.1".to_owned(),
        "--cidr=10.201.0.0/16".to_owned(),
    ]
}

/// Returns the arguments of the parts of Kubernetes that are clients of the API server. They serve nothing, so they
/// need no port, and there is one of each, so they need no leader election.
fn client(cluster: &Cluster, name: &str) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", cluster.path(name).display()),
        "--secure-port=0".to_owned(),
        "--leader-elect=false".to_owned(),
        "--kube-api-qps=1000".to_owned(),
        "--kube-api-burst=2000".to_owned(),
    ]
}
