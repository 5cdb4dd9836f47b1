//! Pull secrets for private registries of ECR, which External Secrets makes with the execution role.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::LocalObjectReference;
use serde_json::json;

use super::{Draft, secret_store, secrets};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    image::EcrHost,
    settings::{Addon, EcrPullSecrets, Iam},
    translate::{Context, CustomObject, Object, kname, names::hex_digest},
    validate::{Role, has_placeholder},
};

/// The group and version of the generators of External Secrets.
const API_VERSION: &str = "generators.external-secrets.io/v1alpha1";
/// The generator of tokens.
const GENERATOR: &str = "ECRAuthorizationToken";
/// How often a token is replaced. One is valid for 12 hours
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>), so a pull works for six hours after
/// the last one could be read.
const REFRESH_INTERVAL: &str = "6h";

/// Adds pull secrets, one for each region: a token is for all registries of its region that the role may read, whatever
/// their account.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let hosts = hosts(cx);
    if hosts.is_empty() || cx.settings.ecr_pull_secrets == EcrPullSecrets::Off {
        return;
    }
    let role = match role(cx) {
        Ok(role) => role,
        Err(Lacking { why, advice }) => {
            let path = FieldPath::root(Subject::TaskDefinition).field("executionRoleArn");
            let (why, advice) = (why.to_owned(), advice.to_owned());
            notes.report(path, Message::EcrPullSecretsUnavailable { why, advice });
            return;
        }
    };
    for (region, hosts) in hosts {
        let name = pull_secret(cx, role, (region, &hosts), draft, notes);
        let references = draft.spec.image_pull_secrets.get_or_insert_default();
        references.push(LocalObjectReference { name });
    }
}

/// Whether the images of private registries are pulled with the execution role.
pub(super) fn are_pulled_with_execution_role(cx: &Context<'_>) -> bool {
    cx.settings.ecr_pull_secrets != EcrPullSecrets::Off && role(cx).is_ok()
}

/// What the pull secrets need and is not there, and what to do about it.
struct Lacking {
    why: &'static str,
    advice: &'static str,
}

/// Returns the role that pulls. Nothing that is lacking rejects the task definition (a policy that does not allow the role
/// does): what could be deployed before the setting can be deployed with it.
fn role<'a>(cx: &Context<'a>) -> Result<&'a Role, Lacking> {
    let lacking = |why, advice| Err(Lacking { why, advice });
    if !cx.settings.has(Addon::ExternalSecrets) {
        return lacking(
            "the External Secrets Operator (external-secrets.io/v1) is not installed",
            "install it; for convert, pass --with-addon external-secrets",
        );
    }
    if cx.settings.ecr_pull_secrets == EcrPullSecrets::NoGenerator {
        return lacking(
            "the External Secrets Operator that is installed has no ECRAuthorizationToken (generators.external-secrets.io/v1alpha1)",
            "install a version with this kind and its CustomResourceDefinition",
        );
    }
    if cx.settings.iam == Iam::None {
        return lacking(
            "roles are switched off with --iam none",
            "choose another value of --iam",
        );
    }
    match &cx.task_definition.execution_role {
        None => lacking(
            "the task definition has no execution role",
            "set executionRoleArn",
        ),
        Some(role) if role.arn == role.name && !has_placeholder(&role.arn) => lacking(
            "the account of the execution role is not known",
            "pass --aws-account-id, or write the ARN of the role",
        ),
        Some(role) => Ok(role),
    }
}

/// Returns the hosts of private registries by their regions, without those of containers that have credentials of their
/// own.
fn hosts<'a>(cx: &Context<'a>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let containers = cx.task_definition.containers.iter();
    let without_own = containers.filter(|container| container.pull_secret.is_none());
    let mut hosts = BTreeMap::<_, Vec<_>>::new();
    for container in without_own {
        if let Some(EcrHost { region, name }) = EcrHost::of(&container.image)
            && (is_region(region) || has_placeholder(region))
        {
            hosts.entry(region).or_default().push(name);
        }
    }
    for names in hosts.values_mut() {
        names.sort_unstable();
        names.dedup();
    }
    hosts
}

/// Whether this can be a region of AWS. External Secrets makes the name of a host of it.
fn is_region(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(plain)
}

/// Adds the generator of the role's tokens and the ExternalSecret for some hosts, and returns the name of the Secret.
fn pull_secret(
    cx: &Context<'_>,
    role: &Role,
    (region, hosts): (&str, &[&str]),
    draft: &mut Draft,
    notes: &mut Diagnostics,
) -> String {
    let base = format!("ecs-ecr-{}", kname(region, secret_store::REGION_LENGTH));
    // Placeholders can become the same part of a name.
    let digest = hex_digest(json!([region, role.arn]).to_string(), 8);
    let generator = format!("{base}-{digest}");
    let spec = secret_store::acting_as(cx, role, json!({ "region": region }), draft, notes);
    draft.objects.push(Object::Custom(CustomObject {
        api_version: API_VERSION,
        kind: GENERATOR,
        metadata: cx.shared_metadata(&generator, "ecr-token"),
        spec,
    }));
    let source = json!({ "apiVersion": API_VERSION, "kind": GENERATOR, "name": generator });
    let name = secrets::name_by_content(cx, "pull", &json!([source, hosts]));
    draft.objects.push(Object::Custom(CustomObject {
        api_version: secret_store::API_VERSION,
        kind: "ExternalSecret",
        metadata: cx.metadata(&name),
        spec: json!({
            "refreshInterval": REFRESH_INTERVAL,
            // The generator only knows the registry of the role's own account, so the hosts come from the images.
            "target": secrets::pull_secret_target(&name, hosts),
            "dataFrom": [{ "sourceRef": { "generatorRef": source } }],
        }),
    }));
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::testing::{Outcome, Scenario, assert_object, yaml};

    const ROLE: &str = r#""executionRoleArn": "arn:aws:iam::123456789012:role/web-exec","#;
    const OWN: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

    /// Returns a task definition with members and a container for each image.
    fn definition(members: &str, images: &[&str]) -> String {
        let container = |(index, image): (usize, &&str)| {
            format!(r#"{{"name": "c{index}", "image": "{image}", "memory": 64}}"#)
        };
        let containers: Vec<_> = images.iter().enumerate().map(container).collect();
        let containers = containers.join(",");
        format!(r#"{{"family": "web", {members} "containerDefinitions": [{containers}]}}"#)
    }

    fn on(definition: impl Into<String>) -> Scenario {
        Scenario::service(definition).settings(|s| s.ecr_pull_secrets = EcrPullSecrets::On)
    }

    fn pull_secrets(outcome: &Outcome) -> Vec<String> {
        let references = outcome.pod_spec()["imagePullSecrets"].as_array();
        let names = references.into_iter().flatten().map(|it| &it["name"]);
        names
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect()
    }

    fn hosts(outcome: &Outcome, name: &str) -> Vec<String> {
        let target = &outcome.object("ExternalSecret", name)["spec"]["target"];
        assert_eq!(target["name"], name);
        let config = target["template"]["data"][".dockerconfigjson"].as_str();
        let config = config.expect("a template").split('"').map(str::to_owned);
        config.filter(|text| text.contains(".dkr")).collect()
    }

    #[test]
    fn an_execution_role_becomes_a_generator_an_external_secret_and_a_pull_secret() {
        let outcome = on(definition(ROLE, &[&format!("{OWN}/web:1")])).run();
        let generator = "ecs-ecr-us-east-1-96bb9e38";
        assert_object(
            outcome.object("ECRAuthorizationToken", generator),
            "
apiVersion: generators.external-secrets.io/v1alpha1
kind: ECRAuthorizationToken
metadata:
  name: ecs-ecr-us-east-1-96bb9e38
  labels:
    app.kubernetes.io/managed-by: ecs-operator
spec:
  region: us-east-1
  auth:
    jwt:
      serviceAccountRef:
        name: ecs-web-exec-bde6af5a
",
        );
        let [name] = &pull_secrets(&outcome)[..] else {
            panic!("{:?}", outcome.pod_spec());
        };
        assert!(name.starts_with("web-pull-"), "{name}");
        let secret = outcome.object("ExternalSecret", name);
        assert_eq!(
            secret["metadata"]["labels"]["ecs-operator.dev/service"],
            "web"
        );
        let spec = &secret["spec"];
        assert_eq!(spec["refreshInterval"], "6h");
        assert_eq!(
            spec["dataFrom"],
            yaml(&format!(
                "[{{sourceRef: {{generatorRef: {{apiVersion: {API_VERSION}, kind: {GENERATOR}, name: {generator}}}}}}}]"
            ))
        );
        assert_eq!(spec["target"]["creationPolicy"], "Owner");
        let template = &spec["target"]["template"];
        assert_eq!(template["type"], "kubernetes.io/dockerconfigjson");
        assert_eq!(hosts(&outcome, name), [OWN]);
        assert!(outcome.has("TrustPolicyMustAllowCluster"));
        assert!(!outcome.has("ExecutionRoleNotUsedForImagePull"));
        let account = outcome.object("ServiceAccount", "ecs-web-exec-bde6af5a");
        let annotations = &account["metadata"]["annotations"];
        assert_eq!(
            annotations["eks.amazonaws.com/role-arn"],
            "arn:aws:iam::123456789012:role/web-exec"
        );
        assert!(outcome.pod_spec()["serviceAccountName"].is_null());
    }

    #[test]
    fn without_the_setting_nothing_is_different() {
        let definition = definition(ROLE, &[&format!("{OWN}/web:1")]);
        let off = Scenario::service(definition).run();
        assert!(pull_secrets(&off).is_empty());
        assert!(off.objects_of("ExternalSecret").is_empty());
        assert!(off.objects_of("ECRAuthorizationToken").is_empty());
        assert!(off.has("ExecutionRoleNotUsedForImagePull"));
    }

    #[test]
    fn a_token_is_for_all_registries_of_a_region() {
        let outcome = on(definition(
            ROLE,
            &[
                "999999999999.dkr.ecr.us-east-1.amazonaws.com/docker-hub/library/nginx:1",
                &format!("{OWN}/web:1"),
                &format!("{OWN}/api@sha256:{}", "0".repeat(64)),
                "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/web:1",
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/web",
                "123456789012.dkr-ecr.us-gov-west-1.on.aws/web",
                "public.ecr.aws/nginx/nginx:1",
                "nginx",
            ],
        ))
        .run();
        let names = pull_secrets(&outcome);
        let hosts: Vec<_> = names.iter().map(|name| hosts(&outcome, name)).collect();
        assert_eq!(
            hosts,
            [
                vec!["123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"],
                vec![
                    "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
                    OWN,
                    "999999999999.dkr.ecr.us-east-1.amazonaws.com"
                ],
                vec!["123456789012.dkr-ecr.us-gov-west-1.on.aws"],
            ]
        );
        assert_eq!(outcome.objects_of("ECRAuthorizationToken").len(), 3);
        assert_eq!(outcome.objects_of("ServiceAccount").len(), 1);
    }

    /// The content of an object never changes under its name, because pods of another revision read it too.
    #[test]
    fn other_registries_and_roles_have_other_names() {
        let names = |role: &str, images: &[&str]| {
            let role = format!(r#""executionRoleArn": "arn:aws:iam::123456789012:role/{role}","#);
            pull_secrets(&on(definition(&role, images)).run())
        };
        let image = format!("{OWN}/web:1");
        let before = names("exec", &[&image]);
        assert_eq!(names("exec", &[&format!("{OWN}/api:2")]), before);
        assert_ne!(names("other", &[&image]), before);
        let more = format!("{image},999999999999.dkr.ecr.us-east-1.amazonaws.com/web");
        let more: Vec<_> = more.split(',').collect();
        assert_ne!(names("exec", &more), before);
        let turned: Vec<_> = more.iter().rev().copied().collect();
        assert_eq!(names("exec", &more), names("exec", &turned));
    }

    #[test]
    fn credentials_of_a_container_are_used_for_it() {
        let parameter = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry-AbCdEf";
        let credentials =
            format!(r#""repositoryCredentials": {{"credentialsParameter": "{parameter}"}}"#);
        let container = |name: &str, image: &str, more: &str| {
            format!(r#"{{"name": "{name}", "image": "{image}", "memory": 64{more}}}"#)
        };
        let with = |images: [(&str, bool); 2]| {
            let containers = images.map(|(image, has_own)| {
                let own = format!(", {credentials}");
                container(&image[..1], image, if has_own { &own } else { "" })
            });
            let containers = containers.join(",");
            on(format!(
                r#"{{"family": "web", {ROLE} "containerDefinitions": [{containers}]}}"#
            ))
            .run()
        };
        let web = format!("{OWN}/web:1");
        let both = with([(&web, false), ("registry.example.com/b", true)]);
        let names = pull_secrets(&both);
        let [first, second] = &names[..] else {
            panic!("{names:?}");
        };
        let source = |name: &str| &both.object("ExternalSecret", name)["spec"]["dataFrom"][0];
        assert_eq!(source(first)["extract"]["key"], parameter);
        assert!(source(second)["sourceRef"]["generatorRef"].is_object());
        let own = with([(&web, true), ("nginx", false)]);
        assert_eq!(pull_secrets(&own).len(), 1);
        assert!(own.objects_of("ECRAuthorizationToken").is_empty());
    }

    #[test]
    fn external_secrets_assumes_the_role_where_it_cannot_use_its_service_account() {
        let outcome = on(definition(ROLE, &[&format!("{OWN}/web:1")]))
            .settings(|s| s.iam = Iam::PodIdentity)
            .run();
        let [generator] = outcome.objects_of("ECRAuthorizationToken")[..] else {
            panic!("there is one");
        };
        let role = "arn:aws:iam::123456789012:role/web-exec";
        assert_eq!(
            generator["spec"],
            yaml(&format!("{{region: us-east-1, role: '{role}'}}"))
        );
        assert!(outcome.objects_of("ServiceAccount").is_empty());
        assert_eq!(pull_secrets(&outcome).len(), 1);
    }

    #[test]
    fn what_is_lacking_is_told_and_the_node_pulls_as_before() {
        let image = format!("{OWN}/web:1");
        let with_role = definition(ROLE, &[&image]);
        let by_name = definition(r#""executionRoleArn": "web-exec","#, &[&image]);
        for (definition, change, why) in [
            (
                with_role.clone(),
                (|s| _ = s.addons.remove(&Addon::ExternalSecrets))
                    as fn(&mut crate::settings::Settings),
                "external-secrets.io/v1",
            ),
            (
                with_role.clone(),
                |s| s.ecr_pull_secrets = EcrPullSecrets::NoGenerator,
                "generators.external-secrets.io/v1alpha1",
            ),
            (with_role, |s| s.iam = Iam::None, "--iam none"),
            (by_name, |_| {}, "account"),
            (definition("", &[&image]), |_| {}, "no execution role"),
        ] {
            let has_role = definition.contains("executionRoleArn");
            let off = Scenario::service(definition.clone())
                .settings(change)
                .settings(|s| s.ecr_pull_secrets = EcrPullSecrets::Off)
                .run();
            let outcome = on(definition).settings(change).run();
            assert_eq!(outcome.objects, off.objects, "{why}");
            let said = outcome.messages();
            let lacks = "executionRoleArn: EcrPullSecretsUnavailable: ";
            let told = |line: &&String| line.starts_with(lacks) && line.contains(why);
            assert_eq!(said.iter().filter(told).count(), 1, "{why}: {said:?}");
            let unused = outcome.has("ExecutionRoleNotUsedForImagePull");
            assert_eq!(unused, has_role, "{why}");
        }
        let public = on(definition("", &["nginx"])).run();
        assert!(!public.has("EcrPullSecretsUnavailable"), "it needs none");
    }

    #[test]
    fn only_what_can_be_a_region_gets_to_external_secrets() {
        let regions = |region: &str| {
            let image = format!("123456789012.dkr.ecr.{region}.amazonaws.com/web:1");
            let outcome = on(definition(ROLE, &[&image])).accepted();
            let generators = outcome.map(|it| it.objects_of("ECRAuthorizationToken").len());
            generators.unwrap_or_default()
        };
        assert_eq!(regions("eu-west-1"), 1);
        assert_eq!(regions("<region>"), 1);
        for region in ["a.b", "a_b", ""] {
            assert_eq!(regions(region), 0, "{region}");
        }
    }
}
