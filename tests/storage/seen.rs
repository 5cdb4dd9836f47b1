//! What tasks and the server see of the shared files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use ecs_operator_testbed::{Node, until};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{Api, ResourceExt as _, api::ListParams};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Bed, LIMIT, uid};

/// A folder of the server.
pub struct Folder(pub PathBuf);

impl Folder {
    /// How many lines a task has written. Each is the number of those before it.
    pub fn lines(&self, task: &str) -> usize {
        let text = fs::read_to_string(self.0.join(task)).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            assert_eq!(line, format!("{task} {number}"));
        }
        text.lines().count()
    }

    /// Waits until a task has written more than before.
    pub async fn grows(&self, task: &str) {
        let before = self.lines(task);
        until(&format!("another line of {task}"), LIMIT, async || {
            Ok((self.lines(task) > before).then_some(()))
        })
        .await
        .unwrap();
    }
}

/// The running tasks of a service: their names, nodes and addresses.
pub async fn running(bed: &Bed, service: &str) -> Vec<(String, String, String)> {
    let of = |pod: Pod| {
        let status = pod.status.clone()?;
        let runs = status.phase.as_deref() == Some("Running");
        let node = pod.spec.as_ref()?.node_name.clone()?;
        Some((pod.name_any(), node, status.pod_ip?)).filter(|_| runs)
    };
    bed.tasks(service)
        .await
        .into_iter()
        .filter_map(of)
        .collect()
}

/// Waits until a service has a task on each of two nodes, and returns the names of the tasks with their nodes.
pub async fn on_both_nodes(bed: &Bed, service: &str) -> Vec<(String, String)> {
    until(&format!("{service} on both nodes"), LIMIT, async || {
        let tasks = running(bed, service).await;
        let nodes: BTreeSet<_> = tasks.iter().map(|(_, node, _)| node).collect();
        let done = tasks.len() == 2 && nodes.len() == 2;
        let names = || {
            tasks
                .iter()
                .map(|(name, node, _)| (name.clone(), node.clone()))
        };
        Ok(done.then(|| names().collect()))
    })
    .await
    .unwrap()
}

/// Waits until a service has its two tasks elsewhere than on this node.
pub async fn off(bed: &Bed, service: &str, node: &str) {
    until(&format!("{service} off {node}"), LIMIT, async || {
        let tasks = running(bed, service).await;
        let off = tasks.iter().all(|(_, of_task, _)| of_task != node);
        Ok((tasks.len() == 2 && off).then_some(()))
    })
    .await
    .unwrap();
}

/// Waits until every task of a reading service has read, through its own mount, at least as much of a file as the server
/// had when this was called.
pub async fn all_read(node: &Node, bed: &Bed, service: &str, folder: &Folder, file: &str) {
    let expected = folder.lines(file);
    assert!(expected > 0, "{file} is empty");
    let tasks = running(bed, service).await;
    assert!(!tasks.is_empty(), "{service} has no tasks");
    for (name, _, address) in tasks {
        let address = node
            .forward(format!("{address}:8080").parse().unwrap())
            .unwrap();
        let path = format!("/file/shared/{file}");
        until(&format!("{name} to read {file}"), LIMIT, async || {
            let read = get(address, &path).await.unwrap_or_default();
            Ok((read.matches(&format!("{file} ")).count() >= expected).then_some(()))
        })
        .await
        .unwrap();
    }
}

async fn get(address: std::net::SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: web\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no body")?;
    Ok(if head.contains(" 200 ") { body } else { "" }.to_owned())
}

/// The identities of the only claim of a namespace and of its volume, if it is bound.
pub async fn claim(bed: &Bed) -> Option<(String, String)> {
    let claims = bed.api::<PersistentVolumeClaim>();
    let claims = claims.list(&ListParams::default()).await.unwrap().items;
    assert!(claims.len() <= 1, "{claims:?}");
    let claim = claims.first()?;
    let phase = claim.status.as_ref()?.phase.as_deref()?;
    let volumes: Api<PersistentVolume> = Api::all(bed.client.clone());
    let volume = claim.spec.as_ref()?.volume_name.as_ref()?;
    let volume = volumes.get_opt(volume).await.unwrap()?;
    let ends = claim.metadata.deletion_timestamp.is_some();
    (phase == "Bound" && !ends).then(|| (uid(claim), uid(&volume)))
}

/// Waits until a namespace has neither a claim nor a volume.
pub async fn nothing_left(bed: &Bed) {
    let volumes: Api<PersistentVolume> = Api::all(bed.client.clone());
    let claims = bed.api::<PersistentVolumeClaim>();
    until("claim and volume to be gone", LIMIT, async || {
        let claims = claims.list(&ListParams::default()).await?.items.len();
        let of_bed = |volume: &&PersistentVolume| {
            let claim = volume
                .spec
                .as_ref()
                .and_then(|spec| spec.claim_ref.as_ref());
            claim.and_then(|claim| claim.namespace.as_deref()) == Some(bed.namespace.name())
        };
        let volumes = volumes.list(&ListParams::default()).await?;
        let volumes = volumes.iter().filter(of_bed).count();
        Ok((claims == 0 && volumes == 0).then_some(()))
    })
    .await
    .unwrap();
}

/// The folder of a file system on the server, writable by all, as an administrator prepares it.
pub fn folder(node: &Node, id: &str, below: &str) -> Folder {
    let folder = node.file_system(id).unwrap().join(below);
    fs::create_dir_all(&folder).unwrap();
    writable(&folder);
    Folder(folder)
}

fn writable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
}
