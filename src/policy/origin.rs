//! Where the spec of a user says what an object uses.

use serde_json::Value;

use super::{Kind, Use};
use crate::diagnostic::{FieldPath, Subject};

/// Returns the path of the member that has the value; `None` if the spec has it in another form.
pub(super) fn find(used: &Use, spec: &Value, subject: Subject) -> Option<FieldPath> {
    search(spec, FieldPath::root(subject), used, "")
}

/// Returns the members that can have things of a kind.
const fn members(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::TaskRole => &["taskRoleArn"],
        Kind::ExecutionRole => &["executionRoleArn"],
        Kind::TargetGroup => &["targetGroupArn", "alternateTargetGroupArn"],
        Kind::SecurityGroup => &["securityGroups"],
        Kind::FileSystem => &["fileSystemId", "fileSystemArn", "accessPointId"],
        Kind::EbsVolumeType => &["volumeType"],
        Kind::KmsKey => &["kmsKeyId"],
        Kind::Snapshot => &["snapshotId"],
        Kind::Secret => &["valueFrom", "credentialsParameter"],
        Kind::MetricNamespace => &["Namespace"],
        Kind::Queue => &["Source", "Arn"],
        Kind::EventSource => &["EventPattern"],
        Kind::HostPath => &["sourcePath", "path"],
        Kind::Privilege => &["add", "namespace"],
        Kind::LoadBalancerScheme => &["scheme"],
        Kind::CapacityProvider => &["capacityProvider"],
        Kind::SecretStore | Kind::Setting | Kind::PatchedMember => &[],
    }
}

/// Whether a text of the spec is what is used.
fn is_it(used: &Use, text: &str) -> bool {
    let value = used.value.as_str();
    match used.kind {
        // A role can be given by its name, and is always one of an account in an object.
        Kind::TaskRole | Kind::ExecutionRole => {
            text == value || (!text.is_empty() && value.ends_with(&format!(":role/{text}")))
        }
        // An ARN ends with the ID.
        Kind::FileSystem => {
            let id = text.rsplit('/').next();
            value.split('/').any(|part| Some(part) == id)
        }
        Kind::HostPath => text.trim_end_matches('/') == value,
        _ => text == value,
    }
}

/// Returns the path of the first text that is what is used. `member` is the innermost member around the value.
fn search(value: &Value, path: FieldPath, used: &Use, member: &str) -> Option<FieldPath> {
    match value {
        Value::String(text) => {
            (members(used.kind).contains(&member) && is_it(used, text)).then_some(path)
        }
        Value::Array(elements) => {
            let mut elements = elements.iter().enumerate();
            elements.find_map(|(index, element)| search(element, path.index(index), used, member))
        }
        Value::Object(members) => {
            let mut members = members.iter();
            members.find_map(|(name, member)| search(member, path.field(name.clone()), used, name))
        }
        _ => None,
    }
}
