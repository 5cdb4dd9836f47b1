//! Accounts of Active Directory for Windows containers.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::WindowsSecurityContextOptions;

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::Context,
};

/// Names the GMSACredentialSpecs of containers, and reports what pods need to use them. The service account of the pod
/// is known.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let mut reported = BTreeSet::new();
    for source in &cx.task_definition.containers {
        let Some(spec) = &source.credential_spec else {
            continue;
        };
        if let Some(container) = draft.container_mut(source.index) {
            let context = container.security_context.get_or_insert_default();
            context.windows_options = Some(WindowsSecurityContextOptions {
                gmsa_credential_spec_name: Some(spec.name.clone()),
                ..WindowsSecurityContextOptions::default()
            });
        }
        if reported.insert(&spec.name) {
            let (member, index) = spec.given;
            let account = draft.spec.service_account_name.as_deref();
            let message = Message::GmsaNeedsWebhook {
                name: spec.name.clone(),
                account: account.unwrap_or("default").to_owned(),
            };
            notes.report(path(source.index).field(member).index(index), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        settings::Settings,
        translate::testing::{Scenario, yaml},
    };

    const WINDOWS: &str =
        r#""runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}"#;

    /// Returns a service with these members, of two containers, the first one with these members.
    fn with(members: &str, container: &str) -> Scenario {
        Scenario::service(format!(
            r#"{{"family": "web", {members}, "containerDefinitions": [
                {{"name": "web", "image": "iis", "memory": 64, {container}}}, {{"name": "log", "image": "iis", "memory": 64}}]}}"#
        ))
        .settings(|settings: &mut Settings| {
            settings.gmsa_credential_specs = [
                ("arn:aws:s3:::specs/web.json", "web"),
                ("arn:aws:s3:::specs/pool.json", "pool"),
                ("file://web.json", "web"),
            ]
            .map(|(place, name)| (place.to_owned(), name.to_owned()))
            .into();
        })
    }

    #[test]
    fn a_credential_spec_is_an_object_of_the_cluster() {
        for (container, name, member) in [
            (
                r#""credentialSpecs": ["credentialspec:arn:aws:s3:::specs/web.json"]"#,
                "web",
                "credentialSpecs[0]",
            ),
            (
                r#""credentialSpecs": ["credentialspecdomainless:arn:aws:s3:::specs/pool.json"]"#,
                "pool",
                "credentialSpecs[0]",
            ),
            (
                r#""dockerSecurityOptions": ["credentialspec:file://web.json"]"#,
                "web",
                "dockerSecurityOptions[0]",
            ),
            (
                r#""credentialSpecs": ["credentialspec:arn:aws:s3:::specs/web.json"], "dockerSecurityOptions": ["credentialspec:file://web.json"]"#,
                "web",
                "credentialSpecs[0]",
            ),
        ] {
            let outcome = with(WINDOWS, container).run();
            assert_eq!(
                outcome.container("web")["securityContext"],
                yaml(&format!(
                    "{{windowsOptions: {{gmsaCredentialSpecName: {name}}}}}"
                ))
            );
            assert_eq!(outcome.container("log")["securityContext"], yaml("null"));
            let said = outcome.messages();
            let said: Vec<_> = said.iter().filter(|line| line.contains("Gmsa")).collect();
            let [line] = said.as_slice() else {
                panic!("{said:?}");
            };
            let begin = format!(
                "containerDefinitions[0].{member}: GmsaNeedsWebhook: the pods get the gMSA of {name} only if"
            );
            assert!(line.starts_with(&begin), "{line}");
            assert!(line.contains("service account default"), "{line}");
        }
    }

    #[test]
    fn the_service_account_is_that_of_the_task_role() {
        let members = format!(r#"{WINDOWS}, "taskRoleArn": "arn:aws:iam::123456789012:role/web""#);
        let container = r#""credentialSpecs": ["credentialspec:arn:aws:s3:::specs/web.json"]"#;
        let outcome = with(&members, container).run();
        let account = outcome.pod_spec()["serviceAccountName"].clone();
        let account = account.as_str().expect("it has one");
        let wanted = format!("service account {account} ");
        assert!(
            outcome.messages().iter().any(|line| line.contains(&wanted)),
            "{wanted}: {:?}",
            outcome.messages()
        );
    }

    #[test]
    fn what_cannot_be_is_rejected() {
        let linux = r#""cpu": "256""#;
        for (members, container, rejection) in [
            (
                linux,
                r#""credentialSpecs": ["credentialspecdomainless:arn:aws:s3:::specs/web.json"]"#,
                "credentialSpecs[0]: GmsaUnsupported",
            ),
            (
                WINDOWS,
                r#""credentialSpecs": ["credentialspec:arn:aws:s3:::specs/x.json"]"#,
                "credentialSpecs[0]: GmsaCredentialSpecUnknown",
            ),
            (
                WINDOWS,
                r#""credentialSpecs": ["arn:aws:s3:::specs/web.json"]"#,
                "credentialSpecs[0]: InvalidValue",
            ),
            (
                WINDOWS,
                r#""credentialSpecs": ["credentialspec:arn:aws:s3:::specs/pool.json"], "dockerSecurityOptions": ["credentialspec:file://web.json"]"#,
                "dockerSecurityOptions[0]: InvalidValue",
            ),
        ] {
            let rejections = with(members, container).rejections();
            let begin = format!("containerDefinitions[0].{rejection}: ");
            assert!(
                rejections.len() == 1 && rejections.iter().all(|it| it.starts_with(&begin)),
                "{rejections:?}"
            );
        }
    }
}
