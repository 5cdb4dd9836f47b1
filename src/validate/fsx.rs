//! Shares of FSx for Windows File Server.

use super::{
    Scope, SecretReference,
    secret::{require_external_secrets, validate_reference},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// A directory of an SMB share that is used as a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmbShare {
    /// The DNS name of the file system.
    pub host: String,
    /// The name of the share, and below it the directory, separated by `/`.
    pub directory: String,
    /// The secret with `username` and `password` of a user of the domain.
    pub credentials: SecretReference,
    /// The domain of that user.
    pub domain: String,
}

impl SmbShare {
    /// Returns the share as the CSI driver reads it.
    #[must_use]
    pub fn source(&self) -> String {
        format!("//{}/{}", self.host, self.directory)
    }

    /// Returns everything that distinguishes one mount of a share from another, as text.
    #[must_use]
    pub fn identity(&self) -> String {
        let SecretReference { region, key, .. } = &self.credentials;
        let region = &region.name;
        format!("{}|{region}|{key}|{}", self.source(), self.domain)
    }
}

/// Validates the `fsxWindowsFileServerVolumeConfiguration` at `path`.
pub(super) fn validate_fsx(
    raw: &ecs::FsxWindowsFileServerVolumeConfiguration,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<SmbShare> {
    if scope.fargate {
        let field = "fsxWindowsFileServerVolumeConfiguration".to_owned();
        sink.report(path.clone(), Message::FargateUnsupportedParameter { field });
        return None;
    }
    if !scope.windows {
        sink.report(path.clone(), Message::FsxNeedsWindows);
    }
    let id = raw.file_system_id.clone().unwrap_or_default();
    let host = scope.settings.fsx_hosts.get(&id).cloned();
    if host.is_none() {
        let path = path.field("fileSystemId");
        sink.report(path, Message::FsxHostUnknown { id });
    }
    let directory = directory(
        raw.root_directory.as_deref().unwrap_or_default(),
        &path.field("rootDirectory"),
        sink,
    );
    let authorization = raw.authorization_config.clone().unwrap_or_default();
    let path = path.field("authorizationConfig");
    let parameter = authorization.credentials_parameter.unwrap_or_default();
    let at = path.field("credentialsParameter");
    require_external_secrets(scope, &path, sink);
    let credentials = validate_reference(&parameter, scope, &at, sink);
    if let Some(option) = credentials.as_ref().and_then(|it| it.assumed.clone()) {
        let value = parameter.clone();
        sink.report(
            at.clone(),
            Message::SecretReferenceUnclear { value, option },
        );
    }
    if let Some(SecretReference {
        json_key, version, ..
    }) = &credentials
        && (json_key.is_some() || version.is_some())
    {
        let allowed =
            "the ARN alone is needed, of a secret or parameter with username and password"
                .to_owned();
        let value = parameter;
        sink.report(at, Message::InvalidValue { value, allowed });
    }
    Some(SmbShare {
        host: host?,
        directory: directory?,
        credentials: credentials?,
        domain: authorization.domain.unwrap_or_default(),
    })
}

/// Returns the share and the directory below it.
fn directory(raw: &str, path: &FieldPath, sink: &mut Diagnostics) -> Option<String> {
    let slashed = raw.replace('\\', "/");
    let plain = slashed.trim_matches('/');
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(':');
    if plain.split('/').all(is_part) {
        return Some(plain.to_owned());
    }
    let allowed = r"must be the name of a share, such as share or share\folder".to_owned();
    let value = raw.to_owned();
    sink.report(path.clone(), Message::InvalidValue { value, allowed });
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Subject;

    #[test]
    fn the_directory_begins_with_the_share() {
        for (raw, expected) in [
            ("share", Some("share")),
            (r"\share\data", Some("share/data")),
            ("/share/My Data/", Some("share/My Data")),
            ("", None),
            (r"\", None),
            (r"share\..\c$", None),
            (r"share\\data", None),
            (r"D:\share", None),
        ] {
            let mut sink = Diagnostics::new();
            let path = FieldPath::root(Subject::TaskDefinition);
            let found = directory(raw, &path, &mut sink);
            assert_eq!(found.as_deref(), expected, "{raw}");
            assert_eq!(sink.has_errors(), expected.is_none(), "{raw}");
        }
    }
}
