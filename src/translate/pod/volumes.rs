//! Volumes and mounts.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{
        EmptyDirVolumeSource, HostPathVolumeSource, NFSVolumeSource,
        PersistentVolumeClaimVolumeSource, Volume as PodVolume, VolumeMount,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{Draft, file_system, smb};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{
        Context, LABEL_LENGTH, kname, mebibytes, service::security_groups::groups_of_pods,
    },
    validate::{Container, FileSystem, FileSystemKind, ImageVolumes, Mount, Volume, VolumeSource},
};

/// The directory of shared Docker volumes on a node.
const NODE_DIRECTORIES: &str = "/var/lib/ecs-operator/volumes";

/// Adds this feature's part to the pod.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let volumes = &cx.task_definition.volumes;
    let mut names = BTreeMap::new();
    // The pod volume of each file system. A pod must not have two volumes with the same volume handle
    // (https://github.com/kubernetes/kubernetes/issues/132921).
    let mut file_systems: BTreeMap<String, String> = BTreeMap::new();
    for volume in volumes {
        let name = kname(&volume.name, LABEL_LENGTH);
        if let Some(identity) = identity(volume) {
            if let Some(first) = file_systems.get(&identity) {
                names.insert(volume.name.as_str(), first.clone());
                continue;
            }
            file_systems.insert(identity, name.clone());
        }
        if let Some(mut pod_volume) = pod_volume(cx, volume, draft, notes) {
            pod_volume.name.clone_from(&name);
            draft.spec.volumes.get_or_insert_default().push(pod_volume);
        }
        if name != volume.name {
            let message = Message::NameSanitized {
                original: volume.name.clone(),
                name: name.clone(),
            };
            notes.report(path_of(volume).field("name"), message);
        }
        names.insert(volume.name.as_str(), name);
    }
    for container in &cx.task_definition.containers {
        mount(container, &names, draft);
    }
    report(cx, notes);
}

fn path_of(volume: &Volume) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("volumes")
        .index(volume.index)
}

/// Returns what distinguishes a file system from others, if many tasks share it.
fn identity(volume: &Volume) -> Option<String> {
    match &volume.source {
        VolumeSource::FileSystem(file_system) => Some(file_system.identity()),
        VolumeSource::Smb(share) => Some(share.identity()),
        _ => None,
    }
}

/// Returns the volume of the pod without its name; `None` for a volume that is configured at launch, which another file
/// adds.
fn pod_volume(
    cx: &Context<'_>,
    volume: &Volume,
    draft: &mut Draft,
    notes: &mut Diagnostics,
) -> Option<PodVolume> {
    let mut result = PodVolume::default();
    match &volume.source {
        VolumeSource::Empty => result.empty_dir = Some(EmptyDirVolumeSource::default()),
        VolumeSource::Memory {
            size,
            other_options: _,
        } => {
            result.empty_dir = Some(EmptyDirVolumeSource {
                medium: Some("Memory".to_owned()),
                size_limit: size.map(bytes),
            });
        }
        VolumeSource::HostPath { path } => {
            // Without a type, the container runtime creates a missing directory, as Docker does.
            result.host_path = Some(HostPathVolumeSource {
                path: path.clone(),
                type_: None,
            });
        }
        VolumeSource::NodeDirectory { autoprovision } => {
            let kind = if *autoprovision {
                "DirectoryOrCreate"
            } else {
                "Directory"
            };
            result.host_path = Some(HostPathVolumeSource {
                path: format!("{NODE_DIRECTORIES}/{}", directory_name(&volume.name)),
                type_: Some(kind.to_owned()),
            });
        }
        VolumeSource::Nfs {
            server,
            path,
            read_only,
            other_options: _,
        } => {
            result.nfs = Some(NFSVolumeSource {
                server: server.clone(),
                path: path.clone(),
                read_only: read_only.then_some(true),
            });
        }
        VolumeSource::FileSystem(file_system) => {
            let claim_name = file_system::claim(cx, file_system, &mut draft.objects);
            result.persistent_volume_claim = Some(volume_of(claim_name));
        }
        VolumeSource::Smb(share) => {
            let path = path_of(volume).field("fsxWindowsFileServerVolumeConfiguration");
            let claim_name = smb::claim(cx, share, &path, draft, notes);
            result.persistent_volume_claim = Some(volume_of(claim_name));
        }
        VolumeSource::ConfiguredAtLaunch => return None,
    }
    Some(result)
}

const fn volume_of(claim_name: String) -> PersistentVolumeClaimVolumeSource {
    PersistentVolumeClaimVolumeSource {
        claim_name,
        read_only: None,
    }
}

/// Returns a quantity of bytes, in MiB if it is a multiple of one MiB.
fn bytes(size: u64) -> Quantity {
    match i64::try_from(size >> 20) {
        Ok(whole) if whole > 0 && size.trailing_zeros() >= 20 => mebibytes(whole),
        _ => Quantity(size.to_string()),
    }
}

/// Converts the name of a volume to the name of a directory.
fn directory_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.chars().all(plain) && name.chars().any(|c| c != '.') {
        name.to_owned()
    } else {
        kname(name, LABEL_LENGTH)
    }
}

fn mount(container: &Container, names: &BTreeMap<&str, String>, draft: &mut Draft) {
    let mounts: Vec<_> = container
        .mounts
        .iter()
        .filter_map(|mount| {
            let Mount {
                volume,
                container_path,
                read_only,
            } = mount;
            Some(VolumeMount {
                name: names.get(volume.as_str())?.clone(),
                mount_path: container_path.clone(),
                read_only: read_only.then_some(true),
                ..VolumeMount::default()
            })
        })
        .collect();
    if mounts.is_empty() {
        return;
    }
    if let Some(container) = draft.container_mut(container.index) {
        container
            .volume_mounts
            .get_or_insert_default()
            .extend(mounts);
    }
}

fn report(cx: &Context<'_>, notes: &mut Diagnostics) {
    let volumes = &cx.task_definition.volumes;
    let mounted: BTreeSet<_> = cx
        .task_definition
        .containers
        .iter()
        .flat_map(|container| &container.mounts)
        .map(|mount| mount.volume.as_str())
        .collect();
    let first_empty = volumes.iter().find(|volume| {
        volume.source == VolumeSource::Empty && mounted.contains(volume.name.as_str())
    });
    if let Some(volume) = first_empty {
        notes.report(path_of(volume), Message::EmptyVolumeNotPrepopulated);
    }
    let mut seen = BTreeSet::new();
    for volume in volumes {
        match &volume.source {
            VolumeSource::FileSystem(file_system) if seen.insert(file_system.identity()) => {
                if seen.len() == 1 {
                    report_first_file_system(cx, volume, file_system, notes);
                }
                report_file_system(volume, file_system, notes);
            }
            _ => report_node_volume(cx, volume, notes),
        }
    }
    for container in &cx.task_definition.containers {
        for ImageVolumes {
            index,
            container: name,
        } in &container.image_volumes
        {
            let path = FieldPath::root(Subject::TaskDefinition)
                .field("containerDefinitions")
                .index(container.index)
                .field("volumesFrom")
                .index(*index);
            let name = name.clone();
            notes.report(path, Message::VolumesFromImageVolumes { name });
        }
    }
}

/// Reports how a volume of the node differs from Docker's.
fn report_node_volume(cx: &Context<'_>, volume: &Volume, notes: &mut Diagnostics) {
    match &volume.source {
        VolumeSource::NodeDirectory { autoprovision: _ } => {
            let path = path_of(volume).field("dockerVolumeConfiguration");
            notes.report(path.field("scope"), Message::SharedDockerVolumeIsHostPath);
        }
        VolumeSource::HostPath { path } if belongs_to_docker(path) => {
            let path = path.clone();
            notes.report(
                path_of(volume).field("host").field("sourcePath"),
                Message::DockerIsNotOnNodes { path },
            );
        }
        // A daemon is on each node, in ECS too.
        VolumeSource::HostPath { path } if !belongs_to_system(path) && !cx.is_daemon() => {
            let path = path.clone();
            notes.report(
                path_of(volume).field("host").field("sourcePath"),
                Message::HostPathOfEachNode { path },
            );
        }
        VolumeSource::Memory {
            size: _,
            other_options,
        }
        | VolumeSource::Nfs {
            server: _,
            path: _,
            read_only: _,
            other_options,
        } if !other_options.is_empty() => {
            let path = path_of(volume).field("dockerVolumeConfiguration");
            let options = other_options.join(",");
            notes.report(
                path.field("driverOpts"),
                Message::MountOptionsIgnored { options },
            );
        }
        _ => {}
    }
}

/// Whether a path of the node belongs to Docker or to the ECS agent. Mounting it results in an empty directory.
fn belongs_to_docker(path: &str) -> bool {
    let known = [
        "/run/docker.sock",
        "/run/docker",
        "/var/lib/docker",
        "/etc/ecs",
        "/var/lib/ecs",
        "/var/log/ecs",
    ];
    is_below(path, &known)
}

/// Whether a path belongs to the operating system, so that every node has it. Agents read such paths.
fn belongs_to_system(path: &str) -> bool {
    let known = [
        "/bin", "/boot", "/cgroup", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin",
        "/sys", "/usr", "/var/log",
    ];
    let is_pipe = path.starts_with(r"\\.\pipe\");
    is_pipe || path.trim_end_matches('/').is_empty() || is_below(path, &known)
}

/// Whether a path is one of these or below one. `/var/run` is `/run`.
fn is_below(path: &str, known: &[&str]) -> bool {
    let path = path.trim_end_matches('/');
    let path = path
        .strip_prefix("/var")
        .filter(|rest| rest.starts_with("/run"))
        .unwrap_or(path);
    known.iter().any(|known| {
        path.strip_prefix(known)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Reports what applies to all file systems.
///
/// A task in ECS mounts them with its own security groups. Here the driver mounts them from the node, and on EKS
/// Fargate from the pod (<https://repost.aws/knowledge-center/eks-troubleshoot-efs-volume-mount-issues>). Docker copies
/// the files of the image into an empty volume (<https://docs.docker.com/engine/storage/volumes/>), Fargate and
/// Kubernetes do not.
fn report_first_file_system(
    cx: &Context<'_>,
    volume: &Volume,
    file_system: &FileSystem,
    notes: &mut Diagnostics,
) {
    let path = path_of(volume);
    let path = match file_system.kind {
        FileSystemKind::Efs => path.field("efsVolumeConfiguration").field("fileSystemId"),
        FileSystemKind::S3Files => path
            .field("s3filesVolumeConfiguration")
            .field("fileSystemArn"),
    };
    let configuration = cx.network_configuration();
    let group = match (
        cx.task_definition.eks_fargate,
        groups_of_pods(cx, configuration),
    ) {
        (false, _) => Some("the nodes"),
        (true, groups) if groups.is_empty() => Some("the security group of the cluster"),
        (true, _) => None,
    };
    if let Some(group) = group {
        let group = group.to_owned();
        notes.report(path.clone(), Message::MountTargetMustAdmit { group });
    }
    if cx.settings.outside_aws {
        let message = Message::AwsCsiDriverNeeded {
            driver: "the EFS CSI driver".to_owned(),
            reach: "nodes that reach the mount targets".to_owned(),
        };
        notes.report(path.clone(), message);
    }
    notes.report(path.clone(), Message::FileSystemSharedWithEcs);
    if !cx.task_definition.fargate {
        notes.report(path, Message::FileSystemNotPrepopulated);
    }
}

fn report_file_system(volume: &Volume, file_system: &FileSystem, notes: &mut Diagnostics) {
    let path = path_of(volume);
    match file_system.kind {
        FileSystemKind::S3Files => {
            let path = path.field("s3filesVolumeConfiguration");
            notes.report_once(path, Message::RequiresEfsCsiDriver3);
        }
        FileSystemKind::Efs if file_system.iam => {
            let path = path
                .field("efsVolumeConfiguration")
                .field("authorizationConfig")
                .field("iam");
            notes.report(path, Message::EfsIamUsesNodeIdentity);
        }
        FileSystemKind::Efs => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::testing::{Scenario, assert_object, yaml};

    #[test]
    fn directories_and_sizes_are_written_safely() {
        assert_eq!(directory_name("Data_1.x"), "Data_1.x");
        for name in ["", ".", "..", "a/../b", "../../etc"] {
            let directory = directory_name(name);
            assert!(!directory.is_empty(), "{name}");
            assert!(!directory.contains(['.', '/']), "{directory}");
        }
        for (size, expected) in [(64 << 20, "64Mi"), (1 << 30, "1Gi"), (1000, "1000")] {
            assert_eq!(bytes(size).0, expected);
        }
    }

    #[test]
    fn paths_of_docker_are_known() {
        for path in [
            "/var/run/docker.sock",
            "/run/docker.sock",
            "/var/lib/docker/containers/",
            "/var/lib/ecs/data",
        ] {
            assert!(belongs_to_docker(path), "{path}");
        }
        for path in [
            "/",
            "/proc/",
            "/var/run",
            "/etc/ssl/certs",
            "/var/log/app",
            r"\\.\pipe\a",
        ] {
            assert!(belongs_to_system(path), "{path}");
        }
        for path in ["/mnt/efs", "/var/data", "/library", "/data/etc", "C:\\data"] {
            assert!(!belongs_to_system(path), "{path}");
        }
        for path in [
            "/var/run",
            "/var/lib/docker2",
            "/proc",
            "/",
            "/run/dockershim",
        ] {
            assert!(!belongs_to_docker(path), "{path}");
        }
    }

    /// Returns a definition with these volumes, whose only container mounts each at `/<name>`.
    fn mounting(volumes: &str) -> String {
        let volumes: serde_json::Value = serde_json::from_str(volumes).expect("JSON");
        let mounts: Vec<_> = volumes
            .as_array()
            .expect("a list")
            .iter()
            .map(|volume| {
                let name = volume["name"].as_str().expect("a name");
                serde_json::json!({"sourceVolume": name, "containerPath": format!("/{name}")})
            })
            .collect();
        serde_json::json!({
            "family": "web",
            "volumes": volumes,
            "containerDefinitions": [{
                "name": "web", "image": "nginx:1.29", "memory": 128, "mountPoints": mounts,
            }],
        })
        .to_string()
    }

    #[test]
    fn an_access_point_becomes_a_volume_and_a_claim() {
        let definition = r#"{"family": "web",
            "volumes": [{"name": "content", "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0", "transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-0aa11bb22cc33dd44", "iam": "ENABLED"}}}],
            "containerDefinitions": [{"name": "web", "image": "nginx:1.29", "memory": 128, "mountPoints": [{"sourceVolume": "content", "containerPath": "/usr/share/nginx/html", "readOnly": true}]}]}"#;
        let shop =
            |settings: &mut crate::settings::Settings| "shop".clone_into(&mut settings.namespace);
        let outcome = Scenario::service(definition).settings(shop).run();
        assert_object(
            outcome.object("PersistentVolume", "efs-shop-31927e382a"),
            r#"
apiVersion: v1
kind: PersistentVolume
metadata:
  name: efs-shop-31927e382a
  labels:
    app.kubernetes.io/managed-by: ecs-operator
spec:
  accessModes:
  - ReadWriteMany
  capacity:
    storage: 5Gi
  claimRef:
    apiVersion: v1
    kind: PersistentVolumeClaim
    name: efs-31927e382a
    namespace: shop
  csi:
    driver: efs.csi.aws.com
    volumeHandle: fs-0123456789abcdef0::fsap-0aa11bb22cc33dd44
    volumeAttributes:
      encryptInTransit: "true"
  mountOptions:
  - iam
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  volumeMode: Filesystem
"#,
        );
        assert_object(
            outcome.object("PersistentVolumeClaim", "efs-31927e382a"),
            r#"
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: efs-31927e382a
  namespace: shop
  labels:
    app.kubernetes.io/managed-by: ecs-operator
spec:
  accessModes:
  - ReadWriteMany
  resources:
    requests:
      storage: 5Gi
  storageClassName: ""
  volumeMode: Filesystem
  volumeName: efs-shop-31927e382a
"#,
        );
        assert_eq!(
            outcome.pod_spec()["volumes"],
            yaml("[{name: content, persistentVolumeClaim: {claimName: efs-31927e382a}}]")
        );
        assert_eq!(
            outcome.container("web")["volumeMounts"],
            yaml("[{mountPath: /usr/share/nginx/html, name: content, readOnly: true}]")
        );
        assert!(outcome.warnings().contains(
            &"volumes[0].efsVolumeConfiguration.authorizationConfig.iam: EfsIamUsesNodeIdentity"
                .to_owned()
        ));
    }

    #[test]
    fn every_source_has_its_volume() {
        let volumes = r#"[
            {"name": "empty"},
            {"name": "hosted", "host": {"sourcePath": "/var/run/docker.sock"}},
            {"name": "scratch", "dockerVolumeConfiguration": {"scope": "task", "driver": "local"}},
            {"name": "Cache_1", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true}},
            {"name": "given", "dockerVolumeConfiguration": {"scope": "shared"}},
            {"name": "files", "dockerVolumeConfiguration": {"driverOpts": {"type": "nfs", "o": "addr=10.0.0.5,ro", "device": ":/data"}}},
            {"name": "memory", "dockerVolumeConfiguration": {"driverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=64m"}}}
        ]"#;
        let outcome = Scenario::service(mounting(volumes)).run();
        let expected = "
- {name: empty, emptyDir: {}}
- {name: hosted, hostPath: {path: /var/run/docker.sock}}
- {name: scratch, emptyDir: {}}
- {name: cache-1-HASH, hostPath: {path: /var/lib/ecs-operator/volumes/Cache_1, type: DirectoryOrCreate}}
- {name: given, hostPath: {path: /var/lib/ecs-operator/volumes/given, type: Directory}}
- {name: files, nfs: {server: 10.0.0.5, path: /data, readOnly: true}}
- {name: memory, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
";
        let digest = crate::translate::names::hex_digest("Cache_1", 8);
        assert_eq!(
            outcome.pod_spec()["volumes"],
            yaml(&expected.replace("HASH", &digest))
        );
        let mounts = &outcome.container("web")["volumeMounts"];
        assert_eq!(mounts[3]["name"], format!("cache-1-{digest}"));
        let notes = outcome.notes();
        for expected in [
            "volumes[0]: EmptyVolumeNotPrepopulated",
            "volumes[3].dockerVolumeConfiguration.scope: SharedDockerVolumeIsHostPath",
            "volumes[3].name: NameSanitized",
            "volumes[4].dockerVolumeConfiguration.scope: SharedDockerVolumeIsHostPath",
        ] {
            assert!(
                notes.contains(&expected.to_owned()),
                "{expected}: {notes:?}"
            );
        }
        let prepopulated = "EmptyVolumeNotPrepopulated";
        assert_eq!(
            notes
                .iter()
                .filter(|note| note.contains(prepopulated))
                .count(),
            1
        );
    }

    #[test]
    fn one_file_system_is_one_volume_of_a_pod() {
        let volumes = r#"[
            {"name": "one", "efsVolumeConfiguration": {"fileSystemId": "fs-01234567", "rootDirectory": "/data/"}},
            {"name": "two", "efsVolumeConfiguration": {"fileSystemId": "fs-01234567", "rootDirectory": "/data", "transitEncryption": "DISABLED"}},
            {"name": "other", "efsVolumeConfiguration": {"fileSystemId": "fs-01234567", "transitEncryptionPort": 20049}}
        ]"#;
        let outcome = Scenario::service(mounting(volumes)).run();
        let names: Vec<_> = outcome.pod_spec()["volumes"]
            .as_array()
            .expect("volumes")
            .iter()
            .map(|volume| volume["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(names, ["one", "other"]);
        assert_eq!(
            outcome.container("web")["volumeMounts"],
            yaml(
                "[{mountPath: /one, name: one}, {mountPath: /two, name: one}, {mountPath: /other, name: other}]"
            )
        );
        let handles: Vec<_> = outcome
            .objects_of("PersistentVolume")
            .iter()
            .map(|volume| &volume["spec"]["csi"]["volumeHandle"])
            .collect();
        assert_eq!(handles, ["fs-01234567:/data", "fs-01234567"]);
    }

    #[test]
    fn s3_files_are_a_file_system_only_on_request() {
        let volumes = r#"[{"name": "bucket", "s3filesVolumeConfiguration": {
            "fileSystemArn": "arn:aws:s3files:us-east-1:123456789012:file-system/fs-0123456789abcdef0",
            "accessPointArn": "arn:aws:s3files:us-east-1:123456789012:file-system/fs-0123456789abcdef0/access-point/fsap-0aa11bb22cc33dd44"}}]"#;
        let scenario = Scenario::service(mounting(volumes));
        assert_eq!(
            scenario.rejections(),
            [
                "volumes[0].s3filesVolumeConfiguration: S3IsNotAFileSystem: S3 Files volumes are translated only if you allow it; pass --allow-s3-files if the EFS CSI driver is 3.0 or newer, or use efsVolumeConfiguration"
            ]
        );
        let outcome = scenario.settings(|s| s.allow_s3_files = true).run();
        let volumes = outcome.objects_of("PersistentVolume");
        let spec = &volumes.first().expect("a volume")["spec"];
        assert_eq!(
            spec["csi"],
            yaml(
                "{driver: efs.csi.aws.com, volumeHandle: 's3files:fs-0123456789abcdef0::fsap-0aa11bb22cc33dd44'}"
            )
        );
        assert!(outcome.has("RequiresEfsCsiDriver3"));
    }

    #[test]
    fn volumes_from_copies_mounts() {
        let definition = r#"{"family": "web", "volumes": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
            "containerDefinitions": [
                {"name": "web", "image": "x", "memory": 64,
                    "mountPoints": [{"sourceVolume": "a", "containerPath": "/own/"}],
                    "volumesFrom": [{"sourceContainer": "data"}, {"sourceContainer": "bare"}, {"sourceContainer": "more", "readOnly": true}]},
                {"name": "data", "image": "x", "memory": 64, "mountPoints": [
                    {"sourceVolume": "b", "containerPath": "/own"},
                    {"sourceVolume": "b", "containerPath": "/twice"},
                    {"sourceVolume": "b", "containerPath": "/b"}]},
                {"name": "bare", "image": "x", "memory": 64},
                {"name": "more", "image": "x", "memory": 64,
                    "mountPoints": [{"sourceVolume": "c", "containerPath": "/twice"}],
                    "volumesFrom": [{"sourceContainer": "web"}, {"sourceContainer": "deep"}]},
                {"name": "deep", "image": "x", "memory": 64,
                    "mountPoints": [{"sourceVolume": "c", "containerPath": "/deep"}]}]}"#;
        let outcome = Scenario::service(definition).run();
        assert_eq!(
            outcome.container("web")["volumeMounts"],
            yaml(
                "
- {mountPath: /own/, name: a}
- {mountPath: /twice, name: c, readOnly: true}
- {mountPath: /deep, name: c, readOnly: true}
- {mountPath: /b, name: b}
"
            )
        );
        let of_images: Vec<_> = outcome
            .messages()
            .into_iter()
            .filter(|message| message.contains("VolumesFromImageVolumes"))
            .collect();
        assert_eq!(
            of_images,
            [
                "containerDefinitions[0].volumesFrom[1]: VolumesFromImageVolumes: the volumes that the image of bare declares are not shared; add a volume to the task definition, and mount it in both containers"
            ]
        );
    }

    #[test]
    fn wrong_volumes_and_mounts_are_all_reported() {
        let definition = r#"{"family": "web",
            "volumes": [
                {"name": "a"}, {"name": "a"},
                {"name": "two", "host": {"sourcePath": "/x"}, "efsVolumeConfiguration": {"fileSystemId": "fs-01234567"}},
                {"name": "up", "host": {"sourcePath": "/x/../etc"}},
                {"name": "relative", "host": {"sourcePath": "x"}},
                {"name": "plugin", "dockerVolumeConfiguration": {"driver": "rexray/ebs"}},
                {"name": "bound", "dockerVolumeConfiguration": {"driverOpts": {"type": "ext4", "o": "bind", "device": "/x"}}},
                {"name": "point", "efsVolumeConfiguration": {"fileSystemId": "fs-0", "rootDirectory": "/x", "authorizationConfig": {"accessPointId": "fsap-01234567"}}},
                {"name": "plain", "efsVolumeConfiguration": {"fileSystemId": "fs-01234567", "rootDirectory": "/data"}},
                {"name": "secure", "efsVolumeConfiguration": {"fileSystemId": "fs-01234567", "rootDirectory": "/data/", "transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}}},
                {"name": "disk", "configuredAtLaunch": true},
                {}
            ],
            "containerDefinitions": [{"name": "web", "image": "x", "memory": 64,
                "linuxParameters": {"sharedMemorySize": 64, "tmpfs": [{"containerPath": "/run", "size": 1}]},
                "mountPoints": [
                    {"sourceVolume": "nope", "containerPath": "/a"},
                    {"sourceVolume": "a", "containerPath": "/a/"},
                    {"sourceVolume": "a", "containerPath": "/b:ro"},
                    {"sourceVolume": "a", "containerPath": "C:/data"},
                    {"sourceVolume": "a", "containerPath": "data"},
                    {"sourceVolume": "a", "containerPath": "/"},
                    {"sourceVolume": "a", "containerPath": "/run/"},
                    {"sourceVolume": "a", "containerPath": "/dev/shm"},
                    {}
                ],
                "volumesFrom": [{"sourceContainer": "nope"}, {"sourceContainer": "web"}, {}]}]}"#;
        let rejections = Scenario::service(definition).rejections();
        let mounts = "containerDefinitions[0].mountPoints";
        let expected = [
            format!("{mounts}[0].sourceVolume: UnknownVolume: volume nope does not exist in the task definition; add it to volumes, or correct the name"),
            format!("{mounts}[1].containerPath: DuplicateMountPath: containerPath /a/ is mounted twice in container web; remove one of the mountPoints"),
            format!("{mounts}[2].containerPath: InvalidMountPath: /b:ro contains ':'; give the path alone; readOnly makes a mount read-only"),
            format!("{mounts}[3].containerPath: InvalidMountPath: C:/data contains ':'; give the path alone; readOnly makes a mount read-only"),
            format!("{mounts}[4].containerPath: InvalidValue: data: an absolute path is needed"),
            format!("{mounts}[5].containerPath: InvalidValue: /: the root directory of a container cannot be a mount"),
            format!("{mounts}[6].containerPath: DuplicateMountPath: containerPath /run/ is mounted twice in container web; remove one of the mountPoints"),
            format!("{mounts}[7].containerPath: DuplicateMountPath: containerPath /dev/shm is mounted twice in container web; remove one of the mountPoints"),
            format!("{mounts}[8].containerPath: RequiredField: containerPath is required"),
            format!("{mounts}[8].sourceVolume: RequiredField: sourceVolume is required"),
            "containerDefinitions[0].volumesFrom[0].sourceContainer: UnknownContainer: container nope does not exist in the task definition; correct the name".to_owned(),
            "containerDefinitions[0].volumesFrom[1].sourceContainer: InvalidValue: web: a container cannot take its own volumes".to_owned(),
            "containerDefinitions[0].volumesFrom[2].sourceContainer: RequiredField: sourceContainer is required".to_owned(),
            "volumes[1].name: DuplicateVolume: volume a is defined twice; rename one of them, also in mountPoints".to_owned(),
            "volumes[2]: MultipleVolumeSources: volume two has more than one source; keep one of its sources, and make volumes of the others".to_owned(),
            "volumes[3].host.sourcePath: InvalidValue: /x/../etc: a path on the node must not contain '..'".to_owned(),
            "volumes[4].host.sourcePath: InvalidValue: x: an absolute path is needed".to_owned(),
            "volumes[5].dockerVolumeConfiguration.driver: DockerVolumeDriverUnsupported: Docker volume driver rexray/ebs does not exist in Kubernetes; use efsVolumeConfiguration or an EBS volume".to_owned(),
            "volumes[6].dockerVolumeConfiguration.driverOpts: DockerVolumeOptionsUnsupported: driverOpts type=ext4 cannot be translated; use type=nfs, type=tmpfs or o=bind, or efsVolumeConfiguration".to_owned(),
            "volumes[7].efsVolumeConfiguration.fileSystemId: InvalidValue: fs-0: fs- and 8 to 40 hexadecimal digits are needed".to_owned(),
            "volumes[7].efsVolumeConfiguration.rootDirectory: EfsRootDirectoryWithAccessPoint: rootDirectory must be omitted or / when an access point is used; remove rootDirectory: the access point has a root of its own".to_owned(),
            "volumes[7].efsVolumeConfiguration.transitEncryption: EfsTransitEncryptionRequired: transitEncryption must be ENABLED with iam or an access point; set transitEncryption: ENABLED, or remove authorizationConfig".to_owned(),
            "volumes[9].efsVolumeConfiguration: EfsConflictingOptions: volumes plain and secure mount the same EFS path with different transitEncryption or iam; give both the same settings: they share one PersistentVolume".to_owned(),
            "volumes[10].configuredAtLaunch: VolumeNotConfiguredAtLaunch: volume disk needs an entry in volumeConfigurations; add one with managedEBSVolume and this name".to_owned(),
            "volumes[11].name: RequiredField: name is required".to_owned(),
        ];
        for line in &expected {
            assert!(rejections.contains(line), "{line}\nnot in {rejections:#?}");
        }
        let mine = |line: &&String| line.contains("mountPoints") || line.contains("olumes");
        assert_eq!(
            rejections.iter().filter(mine).count(),
            expected.len(),
            "{rejections:#?}"
        );
    }

    #[test]
    fn fargate_and_windows_have_their_own_rules() {
        let definition = r#"{"family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "volumes": [{"name": "h", "host": {"sourcePath": "/x"}}, {"name": "d", "dockerVolumeConfiguration": {"scope": "task"}}],
            "containerDefinitions": [{"name": "web", "image": "x"}]}"#;
        let rejections = Scenario::service(definition).rejections();
        assert_eq!(
            rejections,
            [
                "volumes[0].host.sourcePath: FargateHostVolume: Fargate has no host.sourcePath; use an empty volume or EFS",
                "volumes[1].dockerVolumeConfiguration: FargateDockerVolume: Fargate has no Docker volumes; use efsVolumeConfiguration or an empty volume",
            ]
        );
        let windows = r#"{"family": "web", "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},
            "volumes": [{"name": "h", "host": {"sourcePath": "C:\\data"}}, {"name": "e", "efsVolumeConfiguration": {"fileSystemId": "fs-01234567"}}],
            "containerDefinitions": [{"name": "web", "image": "x", "memory": 64, "mountPoints": [
                {"sourceVolume": "h", "containerPath": "C:\\data"}, {"sourceVolume": "h", "containerPath": "c:/data/"}]}]}"#;
        assert_eq!(
            Scenario::service(windows).rejections(),
            [
                "containerDefinitions[0].mountPoints[1].containerPath: DuplicateMountPath: containerPath c:/data/ is mounted twice in container web; remove one of the mountPoints",
                "volumes[1].efsVolumeConfiguration: WindowsUnsupportedParameter: efsVolumeConfiguration is not supported for Windows containers; remove it, or set operatingSystemFamily to LINUX if the task is for Linux",
            ]
        );
    }

    #[test]
    fn a_volume_configured_at_launch_is_only_mounted_here() {
        let outcome = Scenario::service(mounting(r#"[{"name": "disk", "configuredAtLaunch": true}]"#))
            .request(r#"{"volumeConfigurations": [{"name": "disk", "managedEBSVolume": {"sizeInGiB": 8, "roleArn": "arn:aws:iam::123456789012:role/ecsInfrastructureRole"}}]}"#)
            .run();
        assert_eq!(
            outcome.container("web")["volumeMounts"],
            yaml("[{mountPath: /disk, name: disk}]")
        );
    }
}
