//! The real node runs reachable containers, and leaves nothing behind.
#![allow(
    clippy::indexing_slicing,
    clippy::pedantic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use ecs_operator_testbed::{Image, Missing, NFS_SERVER, Node, NodeOptions, find, missing, until};
use k8s_openapi::api::core::v1::{Event, Pod, Service};
use kube::{
    Api,
    api::{DynamicObject, ListParams, LogParams},
    core::{ApiResource, GroupVersionKind},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const LIMIT: Duration = Duration::from_mins(2);

/// etcd serves as the example of a server; its image is in a registry that does not exist.
const OBJECTS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  nodeSelector: {kubernetes.io/hostname: node-2}
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: server
    image: registry.example:5000/team/server:1
    args: [--listen-client-urls=http://0.0.0.0:2379, --advertise-client-urls=http://localhost:2379, --data-dir=/data/etcd]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    readinessProbe: {httpGet: {path: /health, port: 2379}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: server}
spec: {selector: {app: server}, ports: [{port: 80, targetPort: 2379}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  nodeSelector: {kubernetes.io/hostname: node-1}
  restartPolicy: OnFailure
  containers:
  - name: client
    image: client
    command: [/app, get, --raw, /health, --server=http://server]
"#;

async fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: server\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn phase(pods: &Api<Pod>, name: &str, wanted: &str) {
    until(&format!("{name} to be {wanted}"), LIMIT, async || {
        let status = pods.get(name).await?.status.unwrap_or_default();
        Ok((status.phase.as_deref() == Some(wanted)).then_some(()))
    })
    .await
    .unwrap();
}

/// Returns the processes of a cluster, and the control groups that a test process created.
fn left(folder: &Path, pid: u32) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let processes = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(folder));
    let own = format!("ecs-operator-testbed-{pid}-");
    let groups = fs::read_dir("/sys/fs/cgroup").unwrap();
    let groups = groups.filter_map(|entry| fs::read_dir(entry.unwrap().path()).ok());
    let groups = groups
        .flatten()
        .map(|entry| entry.unwrap().path().display().to_string());
    processes
        .chain(groups.filter(|group| group.contains(&own)))
        .collect()
}

#[tokio::test]
async fn containers_run_and_are_reached_and_nothing_is_left() {
    if missing() != Missing::default() {
        let error = Node::start().await.unwrap_err().to_string();
        assert!(error.starts_with("a real node needs "), "{error}");
        return;
    }
    let options = NodeOptions {
        second: true,
        ..NodeOptions::default()
    };
    let node = Node::start_with(&options).await.unwrap();
    let folder = node.folder().to_owned();
    let namespace = node.namespace("containers").await.unwrap();
    let image = Image::of_program(find("etcd").unwrap()).unwrap();
    node.push("registry.example:5000/team/server:1", &image)
        .unwrap();
    node.push(
        "client",
        &Image::of_program(find("kubectl").unwrap()).unwrap(),
    )
    .unwrap();
    node.apply(namespace.name(), OBJECTS).await.unwrap();

    let client = node.client().await.unwrap();
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace.name());
    let services: Api<Service> = Api::namespaced(client.clone(), namespace.name());
    let service = services.get("server").await.unwrap();
    let address = service.spec.unwrap().cluster_ip.unwrap();
    let address = node
        .forward(format!("{address}:80").parse().unwrap())
        .unwrap();
    let answer = until("an answer of the service", LIMIT, async || {
        let answer = get(address, "/health").await.unwrap_or_default();
        Ok(answer.contains("\"health\":\"true\"").then_some(answer))
    })
    .await
    .unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    phase(&pods, "client", "Succeeded").await;
    let log = pods.logs("client", &LogParams::default()).await.unwrap();
    assert!(log.contains("\"health\":\"true\""), "{log}");

    let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
    let resource = ApiResource::from_gvk_with_plural(&kind, "pods");
    let metrics: Api<DynamicObject> = Api::namespaced_with(client, namespace.name(), &resource);
    until("metrics of the pod", LIMIT, async || {
        Ok(metrics.get("server").await.ok())
    })
    .await
    .unwrap();

    drop(namespace);
    drop(node);
    assert_eq!(left(&folder, std::process::id()), Vec::<String>::new());
    assert!(!folder.exists());
}

/// Pods of both nodes with the same file system: one mounts it as the driver of EFS does, one as the kubelet does itself.
/// The third one needs what the first two wrote.
const SHARED: &str = r#"
apiVersion: v1
kind: PersistentVolume
metadata: {name: shared}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  csi: {driver: efs.csi.aws.com, volumeHandle: "fs-0123:/notes"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shared}
spec: {accessModes: [ReadWriteMany], storageClassName: "", volumeName: shared, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: by-driver}
spec:
  nodeSelector: {kubernetes.io/hostname: node-2}
  restartPolicy: Never
  securityContext: {runAsUser: 0}
  containers: [{name: app, image: "example:1", args: [write, /data/driver, hello], volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: shared}}]
---
apiVersion: v1
kind: Pod
metadata: {name: by-kubelet}
spec:
  nodeSelector: {kubernetes.io/hostname: node-1}
  restartPolicy: OnFailure
  securityContext: {runAsUser: 0}
  containers: [{name: app, image: "example:1", args: [read, /data/driver, hello], volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, nfs: {server: 10.199.0.1, path: /fs-0123/notes}}]
---
apiVersion: v1
kind: Pod
metadata: {name: unknown}
spec:
  restartPolicy: Never
  securityContext: {runAsUser: 0}
  containers: [{name: app, image: "example:1", args: [wait], volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, nfs: {server: 10.199.0.1, path: /fs-4567}}]
"#;

#[tokio::test]
async fn pods_of_two_nodes_share_a_file_system_by_nfs() {
    if missing() != Missing::default() {
        // Another test checks what happens then.
        return;
    }
    let options = NodeOptions {
        second: true,
        ..NodeOptions::default()
    };
    let node = Node::start_with(&options).await.unwrap();
    assert!(SHARED.contains(NFS_SERVER));
    let folder = node.file_system("fs-0123").unwrap().join("notes");
    fs::create_dir(&folder).unwrap();
    let namespace = node.namespace("shared").await.unwrap();
    let image = Image::of_program(find("example").unwrap()).unwrap();
    node.push("example:1", &image).unwrap();
    node.apply(namespace.name(), SHARED).await.unwrap();
    let client = node.client().await.unwrap();
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace.name());
    phase(&pods, "by-driver", "Succeeded").await;
    phase(&pods, "by-kubelet", "Succeeded").await;
    assert_eq!(fs::read_to_string(folder.join("driver")).unwrap(), "hello");

    let events: Api<Event> = Api::namespaced(client, namespace.name());
    let refused = "fs-4567: MNT3ERR_NOENT";
    until("an event of the missing file system", LIMIT, async || {
        let events = events.list(&ListParams::default()).await?;
        let mut messages = events.iter().filter_map(|event| event.message.as_ref());
        Ok(messages
            .any(|message| message.contains(refused))
            .then_some(()))
    })
    .await
    .unwrap();
}

/// Runs in a separate process, see the next test; the node is a static, which is never dropped.
#[tokio::test]
#[ignore = "it waits to be killed by another test"]
async fn waits_to_be_killed() {
    let node = Node::shared().await.unwrap();
    println!("\nfolder {}", node.folder().display());
    thread::sleep(LIMIT);
}

#[test]
fn nothing_is_left_of_a_test_that_is_killed() {
    if missing() != Missing::default() {
        // The other test checks what happens then.
        return;
    }
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "waits_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let folder = BufReader::new(test.stdout.take().unwrap())
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("folder ").map(PathBuf::from))
        .unwrap();
    assert!(left(&folder, test.id()).len() > 10);
    test.kill().unwrap();
    test.wait().unwrap();
    let started = Instant::now();
    while folder.exists() || !left(&folder, test.id()).is_empty() {
        assert!(
            started.elapsed() < LIMIT,
            "left: {:?}",
            left(&folder, test.id())
        );
        thread::sleep(Duration::from_millis(50));
    }
}
