//! Secrets: ExternalSecrets and the variables that read them.

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, LocalObjectReference, SecretKeySelector};
use serde_json::{Value, json};

use super::{
    Draft, ecr, firelens,
    secret_store::{self, StoreReference},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, CustomObject, Object, names::hex_digest},
    validate::{PullSecret, SecretReference, SecretService, SecretVariable, SecretVersion},
};

/// Adds this feature's part to the pod.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let entries = entries(cx);
    if let Some(first) = entries.first() {
        let interval = cx.settings.secret_refresh_interval.clone();
        notes.report(first.path.clone(), Message::SecretRefreshDelay { interval });
        external_secret(cx, &entries, draft, notes);
    }
    for entry in &entries {
        report_form(entry, notes);
    }
    note_doubtful_region(cx, &entries, notes);
    pull_secrets(cx, draft, notes);
    ecr::apply(cx, draft, notes);
}

/// The number of options in a reference to a secret: JSON key, version stage and version ID.
const OPTIONS: usize = 3;

/// Reports references that ECS itself would not resolve, and placeholders whose service is not sure.
fn report_form(entry: &Entry<'_>, notes: &mut Diagnostics) {
    let reference = entry.reference;
    if let Some(option) = reference.assumed.clone() {
        let message = Message::SecretServiceAssumed {
            value: reference.key.clone(),
            service: reference.service.name().to_owned(),
            option,
        };
        notes.report(entry.path.clone(), message);
    }
    if let Some(value) = reference.short.clone() {
        let options = value.get(reference.key.len()..).unwrap_or_default();
        let missing = OPTIONS.saturating_sub(options.matches(':').count());
        let full = format!("{value}{}", ":".repeat(missing));
        notes.report(
            entry.path.clone(),
            Message::SecretReferenceShort { value, full },
        );
    }
    if is_incomplete_path(&reference.key) {
        let value = reference.key.clone();
        notes.report(
            entry.path.clone(),
            Message::ParameterPathIncomplete { value },
        );
    }
}

/// Whether this cannot be the name of a parameter: in a hierarchy, names begin with a slash
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-hierarchies.html>).
fn is_incomplete_path(key: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    key.contains('/') && !key.starts_with('/') && key.chars().all(plain)
}

/// Reports once that the region of names without one is assumed or not known.
fn note_doubtful_region(cx: &Context<'_>, entries: &[Entry<'_>], notes: &mut Diagnostics) {
    let of_variables = entries
        .iter()
        .filter_map(|entry| Some((entry.path.clone(), entry.reference.region.doubt()?)));
    let definitions = FieldPath::root(Subject::TaskDefinition).field("containerDefinitions");
    let of_registries = cx
        .task_definition
        .containers
        .iter()
        .filter_map(|container| {
            let secret = container.pull_secret.as_ref()?;
            let path = definitions.index(container.index);
            let path = path
                .field("repositoryCredentials")
                .field("credentialsParameter");
            Some((path, secret.region.doubt()?))
        });
    if let Some((path, doubt)) = of_variables.chain(of_registries).next() {
        notes.report(path, doubt);
    }
}

/// A variable of a container, its key in the Secret, and the reference to its value.
struct Entry<'a> {
    container: usize,
    variable: String,
    key: String,
    reference: &'a SecretReference,
    path: FieldPath,
}

/// Returns all secrets of the pod, in the order of containers and lists. Those of FireLens outputs are variables of the
/// router.
fn entries<'a>(cx: &Context<'a>) -> Vec<Entry<'a>> {
    let definitions = FieldPath::root(Subject::TaskDefinition).field("containerDefinitions");
    let mut options = firelens::secret_options(cx);
    let mut entries = Vec::new();
    for container in &cx.task_definition.containers {
        let key = |variable: &str| secret_key(&container.name, variable);
        for SecretVariable { name, reference } in &container.secrets {
            entries.push(Entry {
                container: container.index,
                variable: name.clone(),
                key: key(name),
                reference,
                path: definitions.index(container.index).field("secrets"),
            });
        }
        if container.firelens.is_none() {
            continue;
        }
        for option in std::mem::take(&mut options) {
            let path = definitions.index(option.container);
            let entry = Entry {
                container: container.index,
                key: key(&option.variable),
                variable: option.variable,
                reference: option.reference,
                path: path.field("logConfiguration").field("secretOptions"),
            };
            // Two outputs may read one secret with the same variable.
            if !entries
                .iter()
                .any(|other: &Entry<'_>| other.key == entry.key)
            {
                entries.push(entry);
            }
        }
    }
    entries
}

/// Returns the key of a container's variable in the Secret; hashed if it is not allowed as a key in Kubernetes.
fn secret_key(container: &str, variable: &str) -> String {
    let key = format!("{container}.{variable}");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if key.len() <= 253 && key.chars().all(plain) {
        key
    } else {
        format!("k{}", hex_digest(&key, 16))
    }
}

/// Returns the name of an object with a digest of its content, so that tasks of another revision keep their object when
/// they restart. The refresh interval is not part of the content.
pub(super) fn name_by_content(cx: &Context<'_>, suffix: &str, content: &Value) -> String {
    let digest = hex_digest(content.to_string(), 8);
    format!("{}-{suffix}-{digest}", cx.object_name())
}

/// Adds the ExternalSecret, which creates the Secret, and the variables that read it.
fn external_secret(
    cx: &Context<'_>,
    entries: &[Entry<'_>],
    draft: &mut Draft,
    notes: &mut Diagnostics,
) {
    let stores: Vec<_> = entries
        .iter()
        .map(|entry| {
            let reference = entry.reference;
            secret_store::store(cx, reference.service, &reference.region.name, draft, notes)
        })
        .collect();
    // Keys from another store than the most frequent one specify it themselves.
    let from_secrets_manager =
        |entry: &Entry<'_>| entry.reference.service == SecretService::SecretsManager;
    let main = entries.iter().position(from_secrets_manager).unwrap_or(0);
    let Some(main) = stores.get(main) else {
        return;
    };
    let data: Vec<_> = entries
        .iter()
        .zip(&stores)
        .map(|(entry, store)| data_entry(entry, (store != main).then_some(store)))
        .collect();
    let name = name_by_content(cx, "secrets", &json!([main.to_value(), data]));
    draft.objects.push(Object::Custom(CustomObject {
        api_version: secret_store::API_VERSION,
        kind: "ExternalSecret",
        metadata: cx.metadata(&name),
        spec: json!({
            "refreshInterval": cx.settings.secret_refresh_interval,
            "secretStoreRef": main.to_value(),
            "target": { "name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain" },
            "data": data,
        }),
    }));
    for entry in entries {
        let variable = EnvVar {
            name: entry.variable.clone(),
            value: None,
            value_from: Some(EnvVarSource {
                secret_key_ref: Some(SecretKeySelector {
                    name: name.clone(),
                    key: entry.key.clone(),
                    optional: None,
                }),
                ..EnvVarSource::default()
            }),
        };
        if let Some(container) = draft.container_mut(entry.container) {
            container.env.get_or_insert_default().push(variable);
        }
    }
}

#[allow(
    clippy::indexing_slicing,
    reason = "what is indexed is an object that is made here"
)]
fn data_entry(entry: &Entry<'_>, store: Option<&StoreReference>) -> Value {
    let SecretReference {
        service: _,
        region: _,
        key,
        json_key,
        version,
        short: _,
        assumed: _,
    } = entry.reference;
    let mut remote = json!({ "key": key });
    if let Some(json_key) = json_key {
        remote["property"] = json!(escape_property(json_key));
    }
    match version {
        Some(SecretVersion::Stage(stage)) => remote["version"] = json!(stage),
        Some(SecretVersion::Id(id)) => remote["version"] = json!(format!("uuid/{id}")),
        None => {}
    }
    let mut data = json!({ "secretKey": entry.key, "remoteRef": remote });
    if let Some(store) = store {
        data["sourceRef"] = json!({ "storeRef": store.to_value() });
    }
    data
}

/// Escapes a JSON key for External Secrets, which reads properties as gjson paths
/// (<https://github.com/tidwall/gjson/blob/master/SYNTAX.md>). A dot is not escaped: the literal key is tried before
/// the path.
fn escape_property(json_key: &str) -> String {
    let mut escaped = String::with_capacity(json_key.len());
    for c in json_key.chars() {
        if "*?|#@!{}[]\\".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Adds a Secret with registry credentials for each `credentialsParameter`; if it is used for several registries, the
/// Secret has an entry for each.
fn pull_secrets(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let mut secrets: Vec<(&PullSecret, Vec<&str>)> = Vec::new();
    for container in &cx.task_definition.containers {
        let Some(secret) = &container.pull_secret else {
            continue;
        };
        let same = |(other, _): &&mut (&PullSecret, Vec<&str>)| {
            other.credentials_parameter == secret.credentials_parameter
        };
        match secrets.iter_mut().find(same) {
            Some((_, registries)) if registries.contains(&secret.registry.as_str()) => {}
            Some((_, registries)) => registries.push(&secret.registry),
            None => secrets.push((secret, vec![&secret.registry])),
        }
    }
    for (secret, registries) in secrets {
        let name = pull_secret(cx, secret, &registries, draft, notes);
        let references = draft.spec.image_pull_secrets.get_or_insert_default();
        references.push(LocalObjectReference { name });
    }
}

fn pull_secret(
    cx: &Context<'_>,
    secret: &PullSecret,
    registries: &[&str],
    draft: &mut Draft,
    notes: &mut Diagnostics,
) -> String {
    let parameter = &secret.credentials_parameter;
    let store = secret_store::store(
        cx,
        SecretService::SecretsManager,
        &secret.region.name,
        draft,
        notes,
    );
    let name = name_by_content(
        cx,
        "pull",
        &json!([store.to_value(), parameter, registries]),
    );
    draft.objects.push(Object::Custom(CustomObject {
        api_version: secret_store::API_VERSION,
        kind: "ExternalSecret",
        metadata: cx.metadata(&name),
        spec: json!({
            "refreshInterval": cx.settings.secret_refresh_interval,
            "secretStoreRef": store.to_value(),
            "target": pull_secret_target(&name, registries),
            "dataFrom": [{ "extract": { "key": parameter } }],
        }),
    }));
    name
}

/// Returns the `target` of an ExternalSecret that makes a Secret with the credentials of registries.
pub(super) fn pull_secret_target(name: &str, registries: &[&str]) -> Value {
    json!({
        "name": name,
        "creationPolicy": "Owner",
        "deletionPolicy": "Retain",
        "template": {
            "type": "kubernetes.io/dockerconfigjson",
            "engineVersion": "v2",
            "data": { ".dockerconfigjson": docker_config(registries) },
        },
    })
}

/// Returns Docker's configuration as a template for External Secrets. The values are written as JSON, so that a
/// password may contain quotes.
fn docker_config(registries: &[&str]) -> String {
    let entries: Vec<_> = registries
        .iter()
        .map(|registry| {
            let registry = Value::from(*registry);
            format!(
                r#"{registry}:{{"username":{{{{ .username | toJson }}}},"password":{{{{ .password | toJson }}}}}}"#
            )
        })
        .collect();
    format!(r#"{{"auths":{{{}}}}}"#, entries.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        settings::{Iam, SecretStore},
        translate::testing::{Outcome, Scenario, assert_object, yaml},
    };

    const SM: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf";

    /// Returns a service `web` in `shop` with an execution role, whose container `web` has these secrets.
    fn shop(secrets: &str) -> Scenario {
        let definition = format!(
            r#"{{"family": "web", "executionRoleArn": "arn:aws:iam::123456789012:role/web-exec",
                "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64, "secrets": {secrets}}}]}}"#
        );
        Scenario::service(definition).settings(|s| "shop".clone_into(&mut s.namespace))
    }

    /// Returns the ExternalSecret of the variables.
    fn secrets_of(outcome: &Outcome) -> &Value {
        let all = outcome.objects_of("ExternalSecret").into_iter();
        let mut of_variables = all.filter(|object| object["spec"].get("data").is_some());
        of_variables.next().expect("it has one")
    }

    fn data(outcome: &Outcome) -> &Value {
        &secrets_of(outcome)["spec"]["data"]
    }

    #[test]
    fn a_secret_becomes_a_store_an_external_secret_and_a_variable() {
        let outcome = shop(&format!(
            r#"[{{"name": "DB_PASSWORD", "valueFrom": "{SM}:password::"}}]"#
        ))
        .run();
        assert_object(
            outcome.object("SecretStore", "ecs-sm-us-east-1-bde6af5a"),
            r"
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata:
  name: ecs-sm-us-east-1-bde6af5a
  namespace: shop
  labels:
    app.kubernetes.io/managed-by: ecs-operator
spec:
  provider:
    aws:
      service: SecretsManager
      region: us-east-1
      auth:
        jwt:
          serviceAccountRef:
            name: ecs-web-exec-bde6af5a
",
        );
        assert_object(
            secrets_of(&outcome),
            r"
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: web-secrets-0f011876
  namespace: shop
  labels:
    ecs-operator.dev/service: web
spec:
  refreshInterval: 5m
  secretStoreRef:
    kind: SecretStore
    name: ecs-sm-us-east-1-bde6af5a
  target:
    name: web-secrets-0f011876
    creationPolicy: Owner
    deletionPolicy: Retain
  data:
  - secretKey: web.DB_PASSWORD
    remoteRef:
      key: arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf
      property: password
",
        );
        assert_eq!(
            outcome.container("web")["env"],
            yaml(
                "[{name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: web-secrets-0f011876, key: web.DB_PASSWORD}}}]"
            )
        );
        let account = outcome.object("ServiceAccount", "ecs-web-exec-bde6af5a");
        assert_eq!(
            account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"],
            "arn:aws:iam::123456789012:role/web-exec"
        );
        assert!(outcome.pod_spec()["serviceAccountName"].is_null());
        let notes = outcome.notes();
        for expected in [
            "containerDefinitions[0].secrets: SecretRefreshDelay",
            "executionRoleArn: TrustPolicyMustAllowCluster",
        ] {
            assert!(notes.contains(&expected.to_owned()), "{notes:?}");
        }
    }

    #[test]
    fn versions_and_keys_become_what_external_secrets_takes() {
        let outcome = shop(&format!(
            r#"[{{"name": "A", "valueFrom": "{SM}"}},
                {{"name": "B", "valueFrom": "{SM}:password:AWSPREVIOUS:"}},
                {{"name": "C", "valueFrom": "{SM}:a*b::9d4cb84b-ad69-40c0-a0ab-cead36b967e8"}},
                {{"name": "D", "valueFrom": "{SM}:::"}}]"#
        ))
        .run();
        let expected = r"
- {secretKey: web.A, remoteRef: {key: KEY}}
- {secretKey: web.B, remoteRef: {key: KEY, property: password, version: AWSPREVIOUS}}
- {secretKey: web.C, remoteRef: {key: KEY, property: 'a\*b', version: uuid/9d4cb84b-ad69-40c0-a0ab-cead36b967e8}}
- {secretKey: web.D, remoteRef: {key: KEY}}
";
        assert_eq!(*data(&outcome), yaml(&expected.replace("KEY", SM)));
    }

    /// The content of an object never changes under its name, because pods of another revision read it too.
    #[test]
    fn other_content_has_another_name() {
        let variable =
            |name: &str, value: &str| format!(r#"{{"name": "{name}", "valueFrom": "{value}"}}"#);
        let names = |secrets: &[String], interval: &str, image: &str| {
            let role = r#""executionRoleArn": "arn:aws:iam::123456789012:role/web-exec""#;
            let credentials =
                format!(r#""repositoryCredentials": {{"credentialsParameter": "{SM}"}}"#);
            let outcome = Scenario::service(format!(
                r#"{{"family": "web", {role}, "containerDefinitions": [
                    {{"name": "web", "image": "{image}", "memory": 64, {credentials}, "secrets": [{}]}}]}}"#,
                secrets.join(",")
            ))
            .settings(|s| interval.clone_into(&mut s.secret_refresh_interval))
            .run();
            let all = outcome.objects_of("ExternalSecret").into_iter();
            let names = all.map(|it| it["metadata"]["name"].as_str().expect("a name").to_owned());
            let mut names: Vec<String> = names.collect();
            names.sort();
            for name in &names {
                assert!(outcome.pod_spec().to_string().contains(name), "{name}");
                let target = &outcome.object("ExternalSecret", name)["spec"]["target"];
                assert_eq!(target["name"], **name);
            }
            names
        };
        let one = [variable("A", SM)];
        let before = names(&one, "5m", "a.example/web");
        assert_eq!(before.len(), 2);
        assert_eq!(names(&one, "1h", "a.example/web:2"), before);
        let renamed = names(&[variable("B", SM)], "5m", "a.example/web");
        assert_ne!(renamed[1], before[1]);
        assert_eq!(renamed[0], before[0], "the registry is the same");
        let longer = names(&[one[0].clone(), variable("B", SM)], "5m", "a.example/web");
        assert_ne!(longer[1], before[1]);
        let moved = names(&one, "5m", "b.example/web");
        assert_ne!(moved[0], before[0]);
    }

    #[test]
    fn what_comes_from_another_store_names_it() {
        let secrets = format!(
            r#"[{{"name": "NAME", "valueFrom": "/prod/db"}},
                {{"name": "PASSWORD", "valueFrom": "{SM}"}},
                {{"name": "FAR", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/far"}}]"#
        );
        let outcome = shop(&secrets)
            .settings(|s| s.aws_region = Some("us-east-1".to_owned()))
            .run();
        let spec = &secrets_of(&outcome)["spec"];
        let main = "{kind: SecretStore, name: ecs-sm-us-east-1-bde6af5a}";
        assert_eq!(spec["secretStoreRef"], yaml(main));
        let expected = "
- secretKey: web.NAME
  remoteRef: {key: /prod/db}
  sourceRef: {storeRef: {kind: SecretStore, name: ecs-ssm-us-east-1-bde6af5a}}
- secretKey: web.PASSWORD
  remoteRef: {key: KEY}
- secretKey: web.FAR
  remoteRef: {key: 'arn:aws:ssm:eu-west-1:123456789012:parameter/far'}
  sourceRef: {storeRef: {kind: SecretStore, name: ecs-ssm-eu-west-1-bde6af5a}}
";
        assert_eq!(spec["data"], yaml(&expected.replace("KEY", SM)));
        assert_eq!(outcome.objects_of("SecretStore").len(), 3);
        assert_eq!(outcome.objects_of("ServiceAccount").len(), 1);
        let trust = outcome
            .notes()
            .into_iter()
            .filter(|n| n.contains("TrustPolicy"));
        assert_eq!(trust.count(), 1);
    }

    #[test]
    fn the_settings_choose_the_store() {
        let secrets = format!(r#"[{{"name": "A", "valueFrom": "{SM}"}}]"#);
        let cluster = shop(&secrets)
            .settings(|s| s.secret_store = SecretStore::Cluster)
            .run();
        assert_eq!(
            secrets_of(&cluster)["spec"]["secretStoreRef"],
            yaml("{kind: ClusterSecretStore, name: ecs-sm-us-east-1}")
        );
        assert!(cluster.objects_of("SecretStore").is_empty());
        assert!(cluster.objects_of("ServiceAccount").is_empty());

        // External Secrets cannot use a service account with Pod Identity.
        let pod_identity = shop(&secrets).settings(|s| s.iam = Iam::PodIdentity).run();
        assert_eq!(
            pod_identity.object("SecretStore", "ecs-sm-us-east-1-bde6af5a")["spec"],
            yaml(
                "{provider: {aws: {service: SecretsManager, region: us-east-1, role: 'arn:aws:iam::123456789012:role/web-exec'}}}"
            )
        );
        assert!(pod_identity.objects_of("ServiceAccount").is_empty());
        assert!(!pod_identity.has("PodIdentityAssociationMissing"));
        assert!(pod_identity.messages().contains(&
            "executionRoleArn: TrustPolicyMustAllowCluster: the trust policy of web-exec must allow the cluster; allow sts:AssumeRole for the role of the External Secrets Operator, in addition to what ECS needs while it still runs tasks with the role".to_owned()
        ), "{:?}", pod_identity.messages());
    }

    #[test]
    fn registry_credentials_become_pull_secrets() {
        let definition = r#"{"family": "web", "containerDefinitions": [
            {"name": "a", "image": "ghcr.io/team/a:1", "memory": 64, "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry-AbCdEf"}},
            {"name": "b", "image": "team/b", "memory": 64, "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry-AbCdEf"}},
            {"name": "c", "image": "ghcr.io/team/c", "memory": 64, "repositoryCredentials": {"credentialsParameter": "registry/team"}}]}"#;
        let scenario = Scenario::service(definition);
        let in_cluster = Scenario::service(definition).settings(|s| s.in_cluster = true);
        assert_eq!(
            in_cluster.rejections(),
            [
                "containerDefinitions[2].repositoryCredentials.credentialsParameter: RegionRequired: the region of this name is not known; pass --aws-region, or write an ARN that names the region"
            ]
        );
        let outcome = scenario
            .settings(|s| s.aws_region = Some("us-east-1".to_owned()))
            .run();
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry-AbCdEf";
        let references = &outcome.pod_spec()["imagePullSecrets"];
        let name = |index: usize| references[index]["name"].as_str().expect("a name");
        let (first, second) = (name(0), name(1));
        let spec = &outcome.object("ExternalSecret", first)["spec"];
        assert_eq!(
            spec["secretStoreRef"],
            yaml("{kind: ClusterSecretStore, name: ecs-sm-eu-west-1}")
        );
        assert_eq!(
            spec["dataFrom"],
            yaml(&format!("[{{extract: {{key: '{arn}'}}}}]"))
        );
        let template = &spec["target"]["template"];
        assert_eq!(template["type"], "kubernetes.io/dockerconfigjson");
        assert_eq!(template["engineVersion"], "v2");
        assert_eq!(
            template["data"][".dockerconfigjson"],
            docker_config(&["ghcr.io", "https://index.docker.io/v1/"])
        );
        let spec = &outcome.object("ExternalSecret", second)["spec"];
        assert_eq!(spec["dataFrom"], yaml("[{extract: {key: registry/team}}]"));
    }

    #[test]
    fn keys_that_kubernetes_does_not_allow_are_hashed() {
        assert_eq!(secret_key("web", "DB_PASSWORD"), "web.DB_PASSWORD");
        for (container, variable) in [("web", "DB PASSWORD"), ("w".repeat(255).as_str(), "A")] {
            let key = secret_key(container, variable);
            assert_eq!(key.len(), 17);
            assert!(key.starts_with('k'), "{key}");
        }
    }

    #[test]
    fn properties_are_literal_keys() {
        for (json_key, expected) in [
            ("password", "password"),
            ("db.password", "db.password"),
            ("a*b?c|d#e@f!g", r"a\*b\?c\|d\#e\@f\!g"),
            (r"{x}[0]\", r"\{x\}\[0\]\\"),
        ] {
            assert_eq!(escape_property(json_key), expected);
        }
    }

    #[test]
    fn registries_become_dockers_configuration() {
        assert_eq!(
            docker_config(&["ghcr.io", "https://index.docker.io/v1/"]),
            concat!(
                r#"{"auths":{"ghcr.io":{"username":{{ .username | toJson }},"#,
                r#""password":{{ .password | toJson }}},"#,
                r#""https://index.docker.io/v1/":{"username":{{ .username | toJson }},"#,
                r#""password":{{ .password | toJson }}}}}"#
            )
        );
    }
}
