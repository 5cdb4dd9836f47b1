//! SMB shares as a PersistentVolume and its claim, with a Secret for the login.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{CSIPersistentVolumeSource, SecretReference};
use serde_json::json;

use super::{Draft, file_system::static_claim, secret_store};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    translate::{Context, CustomObject, Object, names::hex_digest},
    validate::SmbShare,
};

/// How often the login is read. It is shared, so that settings of single services do not apply, and is needed only when a
/// node mounts the share.
const REFRESH_INTERVAL: &str = "1h";

/// Adds the claim of `share` in this namespace, its volume and the Secret with the login, and returns the name of the
/// claim. Services and tasks that mount the same share with the same login and execution role have them together.
pub(super) fn claim(
    cx: &Context<'_>,
    share: &SmbShare,
    path: &FieldPath,
    draft: &mut Draft,
    notes: &mut Diagnostics,
) -> String {
    let SmbShare {
        host,
        directory: _,
        credentials,
        domain,
    } = share;
    if let Some(doubt) = credentials.region.doubt() {
        let path = path
            .field("authorizationConfig")
            .field("credentialsParameter");
        notes.report_once(path, doubt);
    }
    let host = host.clone();
    notes.report_once(path.clone(), Message::SmbDriverNeeded { host });
    notes.report_once(path.clone(), Message::FileSystemSharedWithEcs);
    let (service, region) = (credentials.service, &credentials.region.name);
    let store = secret_store::store(cx, service, region, draft, notes).to_value();
    let digest = hex_digest(format!("{}|{store}", share.identity()), 10);
    let secret = format!("smb-{digest}");
    draft.objects.push(Object::Custom(CustomObject {
        api_version: secret_store::API_VERSION,
        kind: "ExternalSecret",
        metadata: cx.shared_metadata(&secret, "smb"),
        spec: json!({
            "refreshInterval": REFRESH_INTERVAL,
            "secretStoreRef": store,
            "target": {
                "name": secret,
                "creationPolicy": "Owner",
                "deletionPolicy": "Retain",
                "template": { "engineVersion": "v2", "data": login(domain) },
            },
            "dataFrom": [{ "extract": { "key": credentials.key } }],
        }),
    }));
    let csi = |volume_handle: &str| CSIPersistentVolumeSource {
        driver: "smb.csi.k8s.io".to_owned(),
        // The driver only needs it to be different for each share.
        volume_handle: volume_handle.to_owned(),
        volume_attributes: Some(BTreeMap::from([("source".to_owned(), share.source())])),
        node_stage_secret_ref: Some(SecretReference {
            name: Some(secret.clone()),
            namespace: Some(cx.settings.namespace.clone()),
        }),
        ..CSIPersistentVolumeSource::default()
    };
    static_claim(cx, "smb", &digest, csi, None, &mut draft.objects)
}

/// Returns the keys that the CSI driver reads, as templates of External Secrets
/// (<https://github.com/kubernetes-csi/csi-driver-smb/blob/master/docs/driver-parameters.md>).
fn login(domain: &str) -> serde_json::Value {
    json!({
        "username": "{{ .username }}",
        "password": "{{ .password }}",
        // As a string of the template language: the text of a user must not become a part of the program.
        "domain": format!("{{{{ {} }}}}", serde_json::Value::from(domain)),
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        settings::Settings,
        translate::testing::{Scenario, yaml},
    };

    fn with(configuration: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", "executionRoleArn": "arn:aws:iam::123456789012:role/ecs",
            "runtimePlatform": {{"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}},
            "volumes": [{{"name": "a", "fsxWindowsFileServerVolumeConfiguration": {{{configuration}}}}},
                        {{"name": "b", "fsxWindowsFileServerVolumeConfiguration": {{{configuration}}}}}],
            "containerDefinitions": [{{"name": "web", "image": "iis", "memory": 64, "mountPoints": [
                {{"sourceVolume": "a", "containerPath": "C:\\a"}}, {{"sourceVolume": "b", "containerPath": "C:\\b"}}]}}]}}"#
        ))
        .settings(|settings: &mut Settings| {
            let host = ("fs-0123abcd".to_owned(), "files.corp.example.com".to_owned());
            settings.fsx_hosts = [host].into();
        })
    }

    const SHARE: &str = r#""fileSystemId": "fs-0123abcd", "rootDirectory": "share\\data", "authorizationConfig":
        {"credentialsParameter": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:fsx-AbCdEf", "domain": "corp.example.com"}"#;

    #[test]
    fn a_share_is_a_volume_of_the_smb_driver() {
        let outcome = with(SHARE).run();
        let [volume] = outcome.objects_of("PersistentVolume")[..] else {
            panic!("one volume")
        };
        let [claim] = outcome.objects_of("PersistentVolumeClaim")[..] else {
            panic!("one claim")
        };
        let [secret] = outcome.objects_of("ExternalSecret")[..] else {
            panic!("one secret")
        };
        let name = secret["metadata"]["name"].as_str().expect("a name");
        assert_eq!(claim["metadata"]["name"], name);
        let csi = &volume["spec"]["csi"];
        assert_eq!(csi["driver"], "smb.csi.k8s.io");
        assert_eq!(
            csi["volumeAttributes"]["source"],
            "//files.corp.example.com/share/data"
        );
        assert_eq!(
            csi["nodeStageSecretRef"],
            yaml(&format!("{{name: {name}, namespace: default}}"))
        );
        assert_eq!(
            secret["spec"]["target"]["template"]["data"],
            yaml(
                r#"{username: '{{ .username }}', password: '{{ .password }}', domain: '{{ "corp.example.com" }}'}"#
            )
        );
        let mounts = &outcome.container("web")["volumeMounts"];
        assert_eq!(
            *mounts,
            yaml(r"[{name: a, mountPath: 'C:\a'}, {name: a, mountPath: 'C:\b'}]")
        );
        let said = outcome.warnings();
        let said = said.iter().filter(|line| line.contains("SmbDriverNeeded"));
        assert_eq!(said.count(), 1);
    }

    #[test]
    fn another_login_is_another_volume() {
        let name = |configuration: &str| {
            let outcome = with(configuration).run();
            outcome.objects_of("PersistentVolume")[0]["metadata"]["name"].clone()
        };
        let first = name(SHARE);
        for (from, to) in [
            ("corp.example.com\"}", "example.com\"}"),
            ("fsx-AbCdEf", "other-AbCdEf"),
            ("share\\\\data", "share"),
        ] {
            let other = SHARE.replace(from, to);
            assert_ne!(other, SHARE);
            assert_ne!(name(&other), first, "{to}");
        }
    }

    #[test]
    fn what_cannot_be_is_rejected() {
        for (from, to, rejection) in [
            ("fs-0123abcd", "fs-9", "fileSystemId: FsxHostUnknown"),
            ("share\\\\data", "..", "rootDirectory: InvalidValue"),
            (
                "fsx-AbCdEf",
                "fsx-AbCdEf:password::",
                "authorizationConfig.credentialsParameter: InvalidValue",
            ),
            (
                "arn:aws:secretsmanager",
                "arn:aws:s3",
                "authorizationConfig.credentialsParameter: InvalidSecretReference",
            ),
        ] {
            let rejections = with(&SHARE.replace(from, to)).rejections();
            let begin = format!("volumes[0].fsxWindowsFileServerVolumeConfiguration.{rejection}: ");
            assert!(
                rejections.iter().any(|line| line.starts_with(&begin)),
                "{rejections:?}"
            );
        }
    }
}
