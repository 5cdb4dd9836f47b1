//! File systems that many tasks share: Amazon EFS and S3 Files.

use super::{
    Arn, Scope,
    arn::{asks_for_id, has_placeholder},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// A part of a file system that is used as a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// The service that the file system belongs to.
    pub kind: FileSystemKind,
    /// `fs-...`.
    pub id: String,
    /// The mounted directory: `/`, or an absolute path without a trailing slash.
    pub path: String,
    /// `fsap-...`, if it is mounted with an access point.
    pub access_point: Option<String>,
    /// Whether its traffic is encrypted.
    pub tls: bool,
    /// Whether IAM authorizes mounts.
    pub iam: bool,
}

/// An AWS service with file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystemKind {
    /// Amazon EFS.
    Efs,
    /// A file system view of an S3 bucket.
    S3Files,
}

impl FileSystem {
    /// Whether both refer to the same files, regardless of mount options. The CSI driver distinguishes volumes only by
    /// this.
    #[must_use]
    pub fn same_files(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.id == other.id
            && self.path == other.path
            && self.access_point == other.access_point
    }

    /// Returns everything that distinguishes one mount of a file system from another, as text.
    #[must_use]
    pub fn identity(&self) -> String {
        let Self {
            kind,
            id,
            path,
            access_point,
            tls,
            iam,
        } = self;
        let prefix = match kind {
            FileSystemKind::Efs => "",
            FileSystemKind::S3Files => "s3files:",
        };
        let access_point = access_point.as_deref().unwrap_or_default();
        let tls = if *tls { "tls" } else { "notls" };
        let iam = if *iam { "iam" } else { "noiam" };
        format!("{prefix}{id}|{path}|{access_point}|{tls}|{iam}")
    }
}

/// Validates the `efsVolumeConfiguration` at `path`.
pub(super) fn validate_efs(
    raw: &ecs::EfsVolumeConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> FileSystem {
    not_on_windows("efsVolumeConfiguration", scope, path, sink);
    let authorization = raw.authorization_config.clone().unwrap_or_default();
    let access_point = authorization.access_point_id.filter(|id| !id.is_empty());
    let iam = authorization.iam.as_deref() == Some("ENABLED");
    let tls = raw.transit_encryption.as_deref() == Some("ENABLED");
    if !tls && (iam || access_point.is_some()) {
        let path = path.field("transitEncryption");
        sink.report(path, Message::EfsTransitEncryptionRequired);
    }
    // What a cluster is given is not filled any more.
    let is_open = |id: &str| !scope.settings.in_cluster && asks_for_id(id);
    let id = raw.file_system_id.clone().unwrap_or_default();
    if id.is_empty() {
        let name = "fileSystemId";
        let message = Message::RequiredField {
            name: name.to_owned(),
        };
        sink.report(path.field(name), message);
    } else if !is_id(&id, "fs-") && !is_open(&id) {
        let allowed = "fs- and 8 to 40 hexadecimal digits are needed".to_owned();
        let value = id.clone();
        sink.report(
            path.field("fileSystemId"),
            Message::InvalidValue { value, allowed },
        );
    }
    let is_point = |id: &String| is_id(id, "fsap-") || is_open(id);
    if let Some(value) = access_point.clone().filter(|id| !is_point(id)) {
        let path = path.field("authorizationConfig").field("accessPointId");
        let allowed = "fsap- and 8 to 40 hexadecimal digits are needed".to_owned();
        sink.report(path, Message::InvalidValue { value, allowed });
    }
    FileSystem {
        kind: FileSystemKind::Efs,
        id,
        path: root_directory(
            raw.root_directory.as_deref(),
            access_point.is_some(),
            path,
            sink,
        ),
        access_point,
        tls,
        iam,
    }
}

/// Whether `id` is an AWS ID with `prefix`; it becomes a part of the CSI driver's volume handle.
pub(super) fn is_id(id: &str, prefix: &str) -> bool {
    let hex = |digits: &str| {
        (8..=40).contains(&digits.len())
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    id.strip_prefix(prefix).is_some_and(hex) || has_placeholder(id)
}

/// Validates the `s3filesVolumeConfiguration` at `path`; returns `None` if the settings do not allow such volumes.
pub(super) fn validate_s3_files(
    raw: &ecs::S3FilesVolumeConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<FileSystem> {
    if !scope.settings.allow_s3_files {
        sink.report(path.clone(), Message::S3IsNotAFileSystem);
        return None;
    }
    not_on_windows("s3filesVolumeConfiguration", scope, path, sink);
    let id = last_id(
        raw.file_system_arn.as_deref().unwrap_or_default(),
        "fs-",
        &path.field("fileSystemArn"),
        sink,
    );
    let access_point = raw
        .access_point_arn
        .as_deref()
        .filter(|arn| !arn.is_empty())
        .map(|arn| last_id(arn, "fsap-", &path.field("accessPointArn"), sink));
    let has_access_point = access_point.is_some();
    Some(FileSystem {
        kind: FileSystemKind::S3Files,
        id: id.unwrap_or_default(),
        path: root_directory(raw.root_directory.as_deref(), has_access_point, path, sink),
        access_point: access_point.flatten(),
        tls: true,
        iam: false,
    })
}

/// Returns the normal form of `rootDirectory`. It must not be set together with an access point, which has its own.
fn root_directory(
    raw: Option<&str>,
    has_access_point: bool,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> String {
    let trimmed = raw.unwrap_or_default().trim_matches('/');
    if trimmed.is_empty() {
        return "/".to_owned();
    }
    let path = path.field("rootDirectory");
    if has_access_point {
        sink.report(path, Message::EfsRootDirectoryWithAccessPoint);
    } else if trimmed.contains(':') {
        // Colons separate the parts of the CSI driver's volume handle.
        let value = raw.unwrap_or_default().to_owned();
        let allowed = "the path must not contain ':'".to_owned();
        sink.report(path, Message::InvalidValue { value, allowed });
    }
    format!("/{trimmed}")
}

/// Returns the last part of an ARN's resource that starts with `prefix`.
fn last_id(arn: &str, prefix: &str, path: &FieldPath, sink: &mut Diagnostics) -> Option<String> {
    let id = Arn::parse(arn).and_then(|arn| {
        arn.resource
            .rsplit('/')
            .find(|part| is_id(part, prefix))
            .map(str::to_owned)
    });
    if id.is_none() {
        let value = arn.to_owned();
        let allowed = format!("an ARN that ends with {prefix}... is needed");
        sink.report(path.clone(), Message::InvalidValue { value, allowed });
    }
    id
}

/// Rejects the volume on Windows: the CSI driver of both kinds runs only on Linux nodes, and ECS mounts them only on
/// Linux.
fn not_on_windows(
    field: &'static str,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    if scope.windows {
        let field = field.to_owned();
        sink.report(path.clone(), Message::WindowsUnsupportedParameter { field });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_aws_or_placeholders() {
        for (id, expected) in [
            ("fs-01234567", true),
            ("fs-0123456789abcdef0", true),
            ("fs-{{ id }}", true),
            ("<file system>", true),
            ("fs-1234", false),
            ("fs-0123456G", false),
            ("fs-01234567:/etc", false),
            ("FILESYSTEM_ID", false),
            ("fsap-01234567", false),
        ] {
            assert_eq!(is_id(id, "fs-"), expected, "{id}");
        }
    }

    #[test]
    fn an_identity_has_all_that_tells_mounts_apart() {
        let efs = FileSystem {
            kind: FileSystemKind::Efs,
            id: "fs-0123456789abcdef0".to_owned(),
            path: "/".to_owned(),
            access_point: Some("fsap-0aa11bb22cc33dd44".to_owned()),
            tls: true,
            iam: true,
        };
        assert_eq!(
            efs.identity(),
            "fs-0123456789abcdef0|/|fsap-0aa11bb22cc33dd44|tls|iam"
        );
        let s3 = FileSystem {
            kind: FileSystemKind::S3Files,
            path: "/data".to_owned(),
            access_point: None,
            iam: false,
            ..efs.clone()
        };
        assert_eq!(
            s3.identity(),
            "s3files:fs-0123456789abcdef0|/data||tls|noiam"
        );
        assert!(!efs.same_files(&s3));
        let plain = FileSystem {
            tls: false,
            iam: false,
            ..efs.clone()
        };
        assert!(efs.same_files(&plain));
        assert_ne!(efs.identity(), plain.identity());
    }
}
