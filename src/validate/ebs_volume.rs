//! Amazon EBS volumes that a service or task configures at launch
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ebs-volumes.html>).

use std::{collections::BTreeMap, ops::RangeInclusive};

use super::{
    OperatingSystem, TaskDefinition, VolumeSource, clamp, efs::is_id, load_balancer::required,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
};

/// One entry of `volumeConfigurations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EbsVolume {
    /// The position in `volumeConfigurations`.
    pub index: usize,
    /// The ECS name of the volume that is configured at launch.
    pub name: String,
    /// The volume type; `gp3` by default.
    pub volume_type: String,
    /// Size in GiB.
    pub size_gib: u32,
    /// The file system; `xfs` by default.
    pub filesystem: String,
    /// Whether it is encrypted; `None` for the account's default.
    pub encrypted: Option<bool>,
    /// The KMS key: an ID, an alias or an ARN.
    pub kms_key: Option<String>,
    /// Provisioned operations per second.
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB per second.
    pub throughput: Option<u32>,
    /// The snapshot that the volume is created from.
    pub snapshot: Option<String>,
    /// The rate in MiB per second at which it is initialized from the snapshot.
    pub initialization_rate: Option<u32>,
    /// The tags of the volume, including propagated ones.
    pub tags: BTreeMap<String, String>,
    /// Whether the volume is deleted with its task (always, for services).
    pub delete_on_termination: bool,
}

/// `volumeConfigurations` of a service or a task.
#[derive(Clone, Copy)]
pub(crate) enum VolumeConfigurations<'a> {
    /// Of `CreateService`.
    Service(&'a [ecs::ServiceVolumeConfiguration]),
    /// Of `RunTask`.
    Task(&'a [ecs::TaskVolumeConfiguration]),
}

/// Validates `volumeConfigurations` against the volumes of the task definition. `tags` are those of the service, which
/// may be propagated to a volume.
pub(crate) fn validate_ebs_volumes(
    raw: VolumeConfigurations<'_>,
    task_definition: &TaskDefinition,
    tags: &BTreeMap<String, String>,
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<EbsVolume> {
    let path = root.field("volumeConfigurations");
    let entries: Vec<(Option<String>, Option<Managed>)> = match raw {
        VolumeConfigurations::Service(entries) => entries
            .iter()
            .map(|entry| {
                let managed = entry.managed_ebs_volume.clone().map(of_service);
                (entry.name.clone(), managed)
            })
            .collect(),
        VolumeConfigurations::Task(entries) => entries
            .iter()
            .map(|entry| (entry.name.clone(), entry.managed_ebs_volume.clone()))
            .collect(),
    };
    let mut volumes = Vec::new();
    for (index, (name, managed)) in entries.iter().enumerate() {
        let path = path.index(index);
        let Some(name) = name else {
            sink.report(path.field("name"), required("name"));
            continue;
        };
        check_name(name, task_definition, &path.field("name"), sink);
        if task_definition.eks_fargate {
            sink.report(path.field("name"), Message::EbsOnFargate);
        }
        let at = path.field("managedEBSVolume");
        match managed {
            Some(managed) => {
                volumes.push(volume(
                    index,
                    name,
                    managed,
                    task_definition,
                    tags,
                    &at,
                    sink,
                ));
            }
            None => sink.report(at, required("managedEBSVolume")),
        }
    }
    volumes
}

/// The shape of a task has all members of the shape of a service.
type Managed = ecs::TaskManagedEbsVolumeConfiguration;

fn of_service(raw: ecs::ServiceManagedEbsVolumeConfiguration) -> Managed {
    let ecs::ServiceManagedEbsVolumeConfiguration {
        encrypted,
        kms_key_id,
        volume_type,
        size_in_gi_b,
        snapshot_id,
        volume_initialization_rate,
        iops,
        throughput,
        tag_specifications,
        role_arn,
        filesystem_type,
    } = raw;
    Managed {
        encrypted,
        kms_key_id,
        volume_type,
        size_in_gi_b,
        snapshot_id,
        volume_initialization_rate,
        iops,
        throughput,
        tag_specifications,
        role_arn,
        termination_policy: None,
        filesystem_type,
    }
}

fn check_name(
    name: &str,
    task_definition: &TaskDefinition,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let value = name.to_owned();
    match task_definition.volumes.iter().find(|v| v.name == name) {
        None => sink.report(path.clone(), Message::UnknownVolume { value }),
        Some(volume) if volume.source != VolumeSource::ConfiguredAtLaunch => {
            let allowed = "the volume of the task definition needs configuredAtLaunch: true";
            sink.report(path.clone(), invalid(value, allowed));
        }
        Some(_) => {}
    }
}

fn invalid(value: impl Into<String>, allowed: impl Into<String>) -> Message {
    Message::InvalidValue {
        value: value.into(),
        allowed: allowed.into(),
    }
}

fn volume(
    index: usize,
    name: &str,
    raw: &Managed,
    task_definition: &TaskDefinition,
    service_tags: &BTreeMap<String, String>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> EbsVolume {
    let volume_type = raw.volume_type.clone().unwrap_or_else(|| "gp3".to_owned());
    let filesystem = raw
        .filesystem_type
        .clone()
        .unwrap_or_else(|| "xfs".to_owned());
    let windows = matches!(
        task_definition.platform.os,
        Some(OperatingSystem::Windows(_))
    );
    if filesystem == "ntfs" && !windows {
        sink.report(
            path.field("filesystemType"),
            invalid("ntfs", "only Windows tasks can use it"),
        );
    }
    if raw.volume_initialization_rate.is_some() && raw.snapshot_id.is_none() {
        sink.report(
            path.field("volumeInitializationRate"),
            invalid("volumeInitializationRate", "needs a snapshotId"),
        );
    }
    let tags = volume_tags(raw, task_definition, service_tags, path, sink);
    EbsVolume {
        index,
        name: name.to_owned(),
        size_gib: size(raw, &volume_type, path, sink),
        filesystem,
        encrypted: raw.encrypted,
        kms_key: raw.kms_key_id.clone(),
        iops: iops(raw, &volume_type, path, sink),
        throughput: throughput(raw, &volume_type, path, sink),
        snapshot: snapshot(raw, path, sink),
        initialization_rate: raw.volume_initialization_rate.map(clamp),
        tags,
        delete_on_termination: raw
            .termination_policy
            .as_ref()
            .and_then(|policy| policy.delete_on_termination)
            .unwrap_or(true),
        volume_type,
    }
}

/// Returns the ID of the snapshot. Names are made of it, also that of an object without a namespace.
fn snapshot(raw: &Managed, path: &FieldPath, sink: &mut Diagnostics) -> Option<String> {
    let id = raw.snapshot_id.clone()?;
    if !is_id(&id, "snap-") {
        let allowed = "snap- and 8 to 40 hexadecimal digits are needed";
        sink.report(path.field("snapshotId"), invalid(&*id, allowed));
    }
    Some(id)
}

/// Returns the sizes in GiB that AWS accepts for a volume type.
fn sizes(volume_type: &str) -> RangeInclusive<i64> {
    match volume_type {
        "io1" | "io2" => 4..=16384,
        "st1" | "sc1" => 125..=16384,
        "standard" => 1..=1024,
        _ => 1..=16384,
    }
}

fn size(raw: &Managed, volume_type: &str, path: &FieldPath, sink: &mut Diagnostics) -> u32 {
    let at = path.field("sizeInGiB");
    match (raw.size_in_gi_b, raw.snapshot_id.as_ref()) {
        (Some(size), _) => {
            in_range(size, sizes(volume_type), volume_type, at, sink);
            clamp(size)
        }
        (None, Some(snapshot)) => {
            sink.report(
                at,
                Message::EbsSnapshotSizeUnknown {
                    value: snapshot.clone(),
                },
            );
            1
        }
        (None, None) => {
            sink.report(at, Message::EbsSizeRequired);
            1
        }
    }
}

fn in_range(
    value: i64,
    range: RangeInclusive<i64>,
    volume_type: &str,
    path: FieldPath,
    sink: &mut Diagnostics,
) {
    if !range.contains(&value) {
        let allowed = format!("{volume_type} takes {} to {}", range.start(), range.end());
        sink.report(path, invalid(value.to_string(), allowed));
    }
}

fn iops(raw: &Managed, volume_type: &str, path: &FieldPath, sink: &mut Diagnostics) -> Option<u32> {
    let at = path.field("iops");
    let range = match volume_type {
        "gp3" => 3000..=16000,
        "io1" => 100..=64000,
        "io2" => 100..=256_000,
        _ => {
            if let Some(iops) = raw.iops {
                let allowed = format!("{volume_type} takes no iops; use gp3, io1 or io2");
                sink.report(at, invalid(iops.to_string(), allowed));
            }
            return None;
        }
    };
    match raw.iops {
        Some(iops) => in_range(iops, range, volume_type, at, sink),
        None if volume_type != "gp3" => sink.report(
            at,
            Message::EbsIopsRequired {
                value: volume_type.to_owned(),
            },
        ),
        None => {}
    }
    raw.iops.map(clamp)
}

fn throughput(
    raw: &Managed,
    volume_type: &str,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<u32> {
    let value = raw.throughput?;
    let at = path.field("throughput");
    if volume_type == "gp3" {
        in_range(value, 125..=1000, volume_type, at, sink);
    } else {
        let allowed = format!("{volume_type} takes no throughput; use gp3");
        sink.report(at, invalid(value.to_string(), allowed));
    }
    Some(clamp(value))
}

/// Returns the tags of all specifications; a volume's own tag overrides a propagated one.
fn volume_tags(
    raw: &Managed,
    task_definition: &TaskDefinition,
    service_tags: &BTreeMap<String, String>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> BTreeMap<String, String> {
    let standalone = path.subject() == Subject::Task;
    let mut own = BTreeMap::new();
    let mut tags = BTreeMap::new();
    for (index, specification) in raw.tag_specifications.iter().enumerate() {
        let path = path.field("tagSpecifications").index(index);
        for (position, tag) in specification.tags.iter().enumerate() {
            let key = tag.key.clone().unwrap_or_default();
            if matches!(key.as_str(), "AmazonECSCreated" | "AmazonECSManaged") {
                sink.report(
                    path.field("tags").index(position).field("key"),
                    invalid(key, "ECS keeps this tag to itself"),
                );
                continue;
            }
            own.insert(key, tag.value.clone().unwrap_or_default());
        }
        match specification.propagate_tags.as_deref() {
            Some("TASK_DEFINITION") => tags.extend(task_definition.tags.clone()),
            Some("SERVICE") if standalone => {
                sink.report(path.field("propagateTags"), Message::PropagateTagsService);
            }
            Some("SERVICE") => tags.extend(service_tags.clone()),
            _ => {}
        }
    }
    tags.extend(own);
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Reason;

    fn check(raw: serde_json::Value) -> Vec<(String, Reason)> {
        let raw: Managed = serde_json::from_value(raw).expect("the shape takes it");
        let path = FieldPath::root(Subject::Service);
        let mut sink = Diagnostics::new();
        let volume_type = raw.volume_type.clone().unwrap_or_else(|| "gp3".to_owned());
        size(&raw, &volume_type, &path, &mut sink);
        iops(&raw, &volume_type, &path, &mut sink);
        throughput(&raw, &volume_type, &path, &mut sink);
        snapshot(&raw, &path, &mut sink);
        sink.iter()
            .map(|finding| (finding.path.to_string(), finding.reason()))
            .collect()
    }

    #[test]
    fn each_volume_type_has_its_sizes_and_speeds() {
        let size = |volume_type: &str, size: i64, iops: Option<i64>| serde_json::json!({"volumeType": volume_type, "sizeInGiB": size, "iops": iops});
        for (volume_type, smallest, largest, iops) in [
            ("gp2", 1, 16384, None),
            ("gp3", 1, 16384, Some([3000, 16000])),
            ("io1", 4, 16384, Some([100, 64000])),
            ("io2", 4, 16384, Some([100, 256_000])),
            ("st1", 125, 16384, None),
            ("sc1", 125, 16384, None),
            ("standard", 1, 1024, None),
        ] {
            let fine = iops.map(|[low, _]| low);
            for good in [smallest, largest] {
                assert_eq!(check(size(volume_type, good, fine)), [], "{volume_type}");
            }
            for bad in [smallest - 1, largest + 1] {
                assert_eq!(
                    check(size(volume_type, bad, fine)),
                    [("sizeInGiB".to_owned(), Reason::InvalidValue)],
                    "{volume_type} {bad}"
                );
            }
            let wrong = match iops {
                Some([low, high]) => {
                    assert_eq!(check(size(volume_type, 200, Some(high))), []);
                    vec![low - 1, high + 1]
                }
                None => vec![3000],
            };
            for bad in wrong {
                assert_eq!(
                    check(size(volume_type, 200, Some(bad))),
                    [("iops".to_owned(), Reason::InvalidValue)],
                    "{volume_type} {bad}"
                );
            }
        }
    }

    #[test]
    fn what_a_volume_needs_is_asked_for() {
        for (raw, path, reason) in [
            (serde_json::json!({}), "sizeInGiB", Reason::EbsSizeRequired),
            (
                serde_json::json!({"snapshotId": "snap-0a1b2c3d"}),
                "sizeInGiB",
                Reason::EbsSnapshotSizeUnknown,
            ),
            (
                // In another namespace, snapshots of this name would have the same objects.
                serde_json::json!({"sizeInGiB": 8, "snapshotId": "snap-0-snap-0a1b2c3d"}),
                "snapshotId",
                Reason::InvalidValue,
            ),
            (
                serde_json::json!({"volumeType": "io2", "sizeInGiB": 8}),
                "iops",
                Reason::EbsIopsRequired,
            ),
            (
                serde_json::json!({"volumeType": "gp2", "sizeInGiB": 8, "throughput": 200}),
                "throughput",
                Reason::InvalidValue,
            ),
            (
                serde_json::json!({"sizeInGiB": 8, "throughput": 1001}),
                "throughput",
                Reason::InvalidValue,
            ),
        ] {
            assert_eq!(check(raw.clone()), [(path.to_owned(), reason)], "{raw}");
        }
    }
}
