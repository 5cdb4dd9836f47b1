//! What objects use of the things that policies are about.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Kind;
use crate::names::EKS_ROLE;

/// Something that the objects of a service or task use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub value: String,
}

impl Use {
    /// Returns the use of a thing.
    #[must_use]
    pub fn new(kind: Kind, value: &str) -> Self {
        Self {
            kind,
            value: value.to_owned(),
        }
    }
}

/// The annotations with the scheme of a load balancer.
const SCHEMES: &[&str] = &[
    "alb.ingress.kubernetes.io/scheme",
    "service.beta.kubernetes.io/aws-load-balancer-scheme",
];
/// The scheme of a load balancer whose object has none. It is the one that reaches further.
const INTERNET_FACING: &str = "internet-facing";

/// Returns what objects use, as they are about to be applied.
///
/// # Errors
///
/// The kind of an object whose uses are unknown.
pub fn uses(objects: &[&Value]) -> Result<BTreeSet<Use>, String> {
    let mut found = Found {
        uses: BTreeSet::new(),
        accounts: Accounts::of(objects),
    };
    for object in objects {
        found.add(object)?;
    }
    Ok(found.uses)
}

/// What the service accounts among the objects are for.
struct Accounts<'a> {
    /// Those of pods.
    of_pods: BTreeSet<&'a str>,
    /// Those with which secrets are read and images are pulled.
    of_stores: BTreeSet<&'a str>,
}

impl<'a> Accounts<'a> {
    fn of(objects: &[&'a Value]) -> Self {
        let names = |path: &str| {
            let names = objects.iter().filter_map(|object| text(object, path));
            names.collect::<BTreeSet<_>>()
        };
        let mut of_pods = names("/spec/template/spec/serviceAccountName");
        of_pods.extend(names("/spec/serviceAccountName"));
        let mut of_stores = names("/spec/provider/aws/auth/jwt/serviceAccountRef/name");
        of_stores.extend(names("/spec/auth/jwt/serviceAccountRef/name"));
        Self { of_pods, of_stores }
    }
}

struct Found<'a> {
    uses: BTreeSet<Use>,
    accounts: Accounts<'a>,
}

impl Found<'_> {
    fn add(&mut self, object: &Value) -> Result<(), String> {
        match text(object, "/kind").unwrap_or_default() {
            "ServiceAccount" => {
                let annotations = object.pointer("/metadata/annotations");
                let role = annotations.and_then(|it| it.get(EKS_ROLE)?.as_str());
                self.role(text(object, "/metadata/name"), role);
            }
            "PodIdentityAssociation" => {
                let account = text(object, "/spec/serviceAccount");
                self.role(account, text(object, "/spec/roleARN"));
            }
            "SecretStore" => {
                self.note(Kind::ExecutionRole, text(object, "/spec/provider/aws/role"));
            }
            "ECRAuthorizationToken" => {
                self.note(Kind::ExecutionRole, text(object, "/spec/role"));
            }
            "ExternalSecret" => self.secrets(object)?,
            "TargetGroupBinding" => {
                self.note(Kind::TargetGroup, text(object, "/spec/targetGroupARN"));
            }
            "SecurityGroupPolicy" => {
                for group in list(object, "/spec/securityGroups/groupIds") {
                    self.note(Kind::SecurityGroup, group.as_str());
                }
            }
            "PersistentVolume" => self.volume(object),
            "StorageClass" => {
                self.note(Kind::EbsVolumeType, text(object, "/parameters/type"));
                self.note(Kind::KmsKey, text(object, "/parameters/kmsKeyId"));
            }
            "VolumeSnapshotContent" => {
                self.note(Kind::Snapshot, text(object, "/spec/source/snapshotHandle"));
            }
            "ScaledObject" => {
                for trigger in list(object, "/spec/triggers") {
                    self.note(Kind::MetricNamespace, text(trigger, "/metadata/namespace"));
                }
            }
            "Ingress" => self.scheme(object),
            "Service" if text(object, "/spec/type") == Some("LoadBalancer") => self.scheme(object),
            "Deployment" | "DaemonSet" => self.pod(object.pointer("/spec/template/spec")),
            "Pod" => self.pod(object.get("spec")),
            // Of the namespace alone, and about nothing outside of it.
            "Service"
            | "ConfigMap"
            | "PersistentVolumeClaim"
            | "VolumeSnapshot"
            | "NetworkPolicy"
            | "HorizontalPodAutoscaler"
            | "PodDisruptionBudget" => {}
            other => return Err(other.to_owned()),
        }
        Ok(())
    }

    fn note(&mut self, kind: Kind, value: Option<&str>) {
        self.uses.extend(value.map(|value| Use::new(kind, value)));
    }

    /// Notes the role of a service account. One that is for nothing else is for pods.
    fn role(&mut self, account: Option<&str>, role: Option<&str>) {
        let account = account.unwrap_or_default();
        let reads_secrets = self.accounts.of_stores.contains(account);
        if reads_secrets {
            self.note(Kind::ExecutionRole, role);
        }
        if !reads_secrets || self.accounts.of_pods.contains(account) {
            self.note(Kind::TaskRole, role);
        }
    }

    /// Notes what is read from stores that the whole cluster shares. A store of the namespace reads what its role may.
    fn secrets(&mut self, object: &Value) -> Result<(), String> {
        let unknown = |what: &str| format!("ExternalSecret {what}");
        let usual = object.pointer("/spec/secretStoreRef");
        for entry in list(object, "/spec/data").chain(list(object, "/spec/dataFrom")) {
            let generator = text(entry, "/sourceRef/generatorRef/kind");
            if generator == Some("ECRAuthorizationToken") {
                // It is an object of the namespace, which says whose tokens it makes.
                continue;
            }
            // An entry can be from another store than the rest.
            let store = match entry.get("sourceRef") {
                Some(source) => source.get("storeRef"),
                None => usual,
            };
            let store = store.ok_or_else(|| unknown("without a store"))?;
            if text(store, "/kind") == Some("SecretStore") {
                continue;
            }
            let key = text(entry, "/remoteRef/key").or_else(|| text(entry, "/extract/key"));
            let key = key.ok_or_else(|| unknown("without keys"))?;
            self.note(Kind::Secret, Some(key));
            self.note(Kind::SecretStore, text(store, "/name"));
        }
        Ok(())
    }

    fn volume(&mut self, object: &Value) {
        let handle = text(object, "/spec/csi/volumeHandle").unwrap_or_default();
        let share = text(object, "/spec/csi/volumeAttributes/source");
        let host = share.map(|share| share.trim_start_matches('/').split('/').next());
        let file_system = match host {
            Some(host) => host.unwrap_or_default().to_owned(),
            None => file_system(handle),
        };
        self.note(Kind::FileSystem, Some(&file_system));
    }

    fn scheme(&mut self, object: &Value) {
        let annotations = object.pointer("/metadata/annotations");
        let scheme = |name: &&str| annotations.and_then(|it| it.get(*name)?.as_str());
        let scheme = SCHEMES.iter().find_map(scheme).unwrap_or(INTERNET_FACING);
        self.note(Kind::LoadBalancerScheme, Some(scheme));
    }

    fn pod(&mut self, spec: Option<&Value>) {
        let Some(spec) = spec else {
            return;
        };
        for volume in list(spec, "/volumes") {
            let path = text(volume, "/hostPath/path").map(plain_path);
            self.note(Kind::HostPath, path.as_deref());
        }
        for member in ["hostNetwork", "hostPID", "hostIPC"] {
            let has = spec.get(member) == Some(&Value::Bool(true));
            self.note(Kind::Privilege, has.then_some(member));
        }
        for sysctl in list(spec, "/securityContext/sysctls") {
            self.note(Kind::Privilege, text(sysctl, "/name"));
        }
        self.security(spec.get("securityContext"));
        for member in ["/containers", "/initContainers"] {
            for container in list(spec, member) {
                self.security(container.get("securityContext"));
                let mut ports = list(container, "/ports");
                let is_of_host = |port: &Value| port.get("hostPort").is_some();
                let has = ports.any(is_of_host);
                self.note(Kind::Privilege, has.then_some("hostPort"));
            }
        }
    }

    /// Notes the privileges of a pod or container.
    fn security(&mut self, context: Option<&Value>) {
        let Some(context) = context else {
            return;
        };
        let is = |path: &str| context.pointer(path) == Some(&Value::Bool(true));
        self.note(Kind::Privilege, is("/privileged").then_some("privileged"));
        let host_process = is("/windowsOptions/hostProcess");
        self.note(Kind::Privilege, host_process.then_some("hostProcess"));
        for capability in list(context, "/capabilities/add") {
            self.note(Kind::Privilege, capability.as_str());
        }
    }
}

/// Returns the file system of a volume of the EFS CSI driver, with the access point:
/// `[s3files:]fs-...[:<path>[:<access point>]]`.
fn file_system(handle: &str) -> String {
    let handle = handle.strip_prefix("s3files:").unwrap_or(handle);
    let mut parts = handle.split(':');
    let id = parts.next().unwrap_or_default();
    match parts.nth(1).filter(|point| !point.is_empty()) {
        Some(point) => format!("{id}/{point}"),
        None => id.to_owned(),
    }
}

/// Returns a path without the slashes that make no difference.
fn plain_path(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// Returns the capacity providers that a request names; those of its cluster if it names neither them nor a launch type.
#[must_use]
pub fn capacity_providers(request: &Value, cluster: Option<&Value>) -> BTreeSet<Use> {
    let own = request.get("capacityProviderStrategy");
    let has = |member: &str| request.get(member).is_some_and(|it| !it.is_null());
    let of_cluster = || cluster?.get("defaultCapacityProviderStrategy");
    let strategy = match own.filter(|own| own.as_array().is_some_and(|own| !own.is_empty())) {
        Some(own) => Some(own),
        None if has("launchType") => None,
        None => of_cluster(),
    };
    let providers = strategy.and_then(Value::as_array).into_iter().flatten();
    let names = providers.filter_map(|it| it.get("capacityProvider")?.as_str());
    names
        .map(|name| Use::new(Kind::CapacityProvider, name))
        .collect()
}

/// Returns the members of pods that the patch of a spec changes.
#[must_use]
pub fn patched_members(spec: &Value) -> BTreeSet<Use> {
    let mut found = BTreeSet::new();
    if let Some(patch) = spec.pointer("/kubernetes/pod/patch") {
        walk(patch, String::new(), &mut found);
    }
    found
}

fn walk(value: &Value, path: String, found: &mut BTreeSet<Use>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            // The name says which element is changed, unless it is all there is.
            let in_list = path.ends_with("[]") && members.len() > 1;
            for (name, value) in members
                .iter()
                .filter(|(name, _)| !in_list || *name != "name")
            {
                let dot = if path.is_empty() { "" } else { "." };
                walk(value, format!("{path}{dot}{name}"), found);
            }
        }
        Value::Array(elements) if elements.iter().any(Value::is_object) => {
            for element in elements {
                walk(element, format!("{path}[]"), found);
            }
        }
        _ => {
            found.insert(Use::new(Kind::PatchedMember, &path));
        }
    }
}

fn text<'a>(object: &'a Value, path: &str) -> Option<&'a str> {
    object.pointer(path)?.as_str()
}

fn list<'a>(object: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object
        .pointer(path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn used(objects: &[Value]) -> Vec<(Kind, String)> {
        let uses = uses(&objects.iter().collect::<Vec<_>>()).expect("the kinds are known");
        uses.into_iter().map(|it| (it.kind, it.value)).collect()
    }

    fn one(kind: Kind, value: &str) -> Vec<(Kind, String)> {
        vec![(kind, value.to_owned())]
    }

    #[test]
    fn a_role_is_of_tasks_or_of_secrets() {
        let account = json!({"kind": "ServiceAccount", "metadata": {
            "name": "web", "annotations": {"eks.amazonaws.com/role-arn": "r"},
        }});
        let pod = json!({"kind": "Pod", "spec": {"serviceAccountName": "web"}});
        let auth = json!({"jwt": {"serviceAccountRef": {"name": "web"}}});
        let store = json!({"kind": "SecretStore", "spec": {"provider": {"aws": {"auth": auth}}}});
        let (task, execution) = (one(Kind::TaskRole, "r"), one(Kind::ExecutionRole, "r"));
        assert_eq!(
            used(std::slice::from_ref(&account)),
            task,
            "nobody knows what for"
        );
        assert_eq!(used(&[account.clone(), pod.clone()]), task);
        assert_eq!(used(&[account.clone(), store.clone()]), execution);
        assert_eq!(
            used(&[account, pod, store]),
            [task, execution.clone()].concat()
        );
        let assumed = json!({"kind": "SecretStore", "spec": {"provider": {"aws": {"role": "r"}}}});
        assert_eq!(used(&[assumed]), execution);
        let account = json!({"kind": "ServiceAccount", "metadata": {
            "name": "web", "annotations": {"eks.amazonaws.com/role-arn": "r"},
        }});
        let auth = json!({"jwt": {"serviceAccountRef": {"name": "web"}}});
        let token = |spec: Value| json!({"kind": "ECRAuthorizationToken", "spec": spec});
        assert_eq!(used(&[account, token(json!({"auth": auth}))]), execution);
        assert_eq!(used(&[token(json!({"role": "r"}))]), execution);
        let association = json!({"kind": "PodIdentityAssociation", "spec": {"roleARN": "r", "serviceAccount": "web"}});
        assert_eq!(used(&[association]), one(Kind::TaskRole, "r"));
    }

    #[test]
    fn secrets_count_if_they_are_read_from_a_store_of_the_cluster() {
        let secret = |store: &str, data: Value| {
            let store = json!({"kind": store, "name": "s"});
            json!({"kind": "ExternalSecret", "spec": {
                "secretStoreRef": store, "data": data, "dataFrom": [{"extract": {"key": "b"}}],
            }})
        };
        let keys = json!([{"remoteRef": {"key": "a", "property": "p"}}]);
        assert_eq!(used(&[secret("SecretStore", keys.clone())]), []);
        let shared = used(&[secret("ClusterSecretStore", keys)]);
        let of = |kind, value: &str| (kind, value.to_owned());
        let expected = [
            of(Kind::SecretStore, "s"),
            of(Kind::Secret, "a"),
            of(Kind::Secret, "b"),
        ];
        assert_eq!(shared, expected);
        let other = json!({"storeRef": {"kind": "ClusterSecretStore", "name": "other"}});
        let keys = json!([{"remoteRef": {"key": "a"}, "sourceRef": other}]);
        let expected = [of(Kind::SecretStore, "other"), of(Kind::Secret, "a")];
        assert_eq!(used(&[secret("SecretStore", keys)]), expected);
        let generated = |kind: &str| {
            let source = json!([{"sourceRef": {"generatorRef": {"kind": kind, "name": "g"}}}]);
            json!({"kind": "ExternalSecret", "spec": {"dataFrom": source}})
        };
        // Its own object says with which role.
        assert_eq!(used(&[generated("ECRAuthorizationToken")]), []);
        assert!(uses(&[&generated("ClusterGenerator")]).is_err());
        let all = secret("ClusterSecretStore", json!([{"find": {"name": ".*"}}]));
        assert!(uses(&[&all]).is_err(), "nobody knows which");
    }

    #[test]
    fn volumes_are_known_by_their_file_systems() {
        let volume =
            |csi: Value| used(&[json!({"kind": "PersistentVolume", "spec": {"csi": csi}})]);
        for (handle, expected) in [
            ("fs-1", "fs-1"),
            ("fs-1:/data", "fs-1"),
            ("fs-1::fsap-2", "fs-1/fsap-2"),
            ("s3files:fs-1:/:fsap-2", "fs-1/fsap-2"),
            ("", ""),
        ] {
            let found = volume(json!({"driver": "efs.csi.aws.com", "volumeHandle": handle}));
            assert_eq!(found, one(Kind::FileSystem, expected), "{handle}");
        }
        let share =
            json!({"volumeHandle": "x", "volumeAttributes": {"source": "//files.corp/share"}});
        assert_eq!(volume(share), one(Kind::FileSystem, "files.corp"));
    }

    #[test]
    fn load_balancers_reach_the_internet_unless_they_say_otherwise() {
        let scheme = |kind: &str, annotations: Value| {
            used(&[
                json!({"kind": kind, "metadata": {"annotations": annotations}, "spec": {"type": "LoadBalancer"}}),
            ])
        };
        let annotated = json!({"alb.ingress.kubernetes.io/scheme": "internal"});
        assert_eq!(
            scheme("Ingress", annotated),
            one(Kind::LoadBalancerScheme, "internal")
        );
        let public = one(Kind::LoadBalancerScheme, "internet-facing");
        assert_eq!(scheme("Ingress", json!({})), public);
        assert_eq!(scheme("Service", json!({})), public);
        let inner = json!({"kind": "Service", "spec": {"type": "ClusterIP"}});
        assert_eq!(used(&[inner]), []);
    }

    #[test]
    fn privileges_of_pods_are_found_wherever_they_are() {
        let pod = json!({
            "hostNetwork": true, "hostPID": true, "hostIPC": false,
            "securityContext": {"sysctls": [{"name": "net.a"}], "windowsOptions": {"hostProcess": true}},
            "initContainers": [{"securityContext": {"privileged": true}}],
            "containers": [
                {"ports": [{"containerPort": 80}, {"hostPort": 80}]},
                {"securityContext": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}},
            ],
            "volumes": [{"hostPath": {"path": "/var//log/"}}, {"hostPath": {"path": "C:\\logs"}}, {"emptyDir": {}}],
        });
        let expected: Vec<(Kind, String)> = [
            (Kind::HostPath, "/var/log"),
            (Kind::HostPath, "C:\\logs"),
            (Kind::Privilege, "NET_ADMIN"),
            (Kind::Privilege, "hostNetwork"),
            (Kind::Privilege, "hostPID"),
            (Kind::Privilege, "hostPort"),
            (Kind::Privilege, "hostProcess"),
            (Kind::Privilege, "net.a"),
            (Kind::Privilege, "privileged"),
        ]
        .map(|(kind, value)| (kind, value.to_owned()))
        .into();
        for object in [
            json!({"kind": "Pod", "spec": pod}),
            json!({"kind": "Deployment", "spec": {"template": {"spec": pod}}}),
            json!({"kind": "DaemonSet", "spec": {"template": {"spec": pod}}}),
        ] {
            assert_eq!(used(&[object]), expected);
        }
    }

    #[test]
    fn an_unknown_kind_is_not_harmless() {
        let role = json!({"kind": "ClusterRole"});
        assert_eq!(uses(&[&role]), Err("ClusterRole".to_owned()));
        assert!(uses(&[&json!({})]).is_err());
    }

    #[test]
    fn the_providers_of_a_cluster_count_for_requests_without_any() {
        let cluster = json!({"defaultCapacityProviderStrategy": [{"capacityProvider": "spot"}]});
        let names = |request: Value| -> Vec<String> {
            let uses = capacity_providers(&request, Some(&cluster));
            uses.into_iter().map(|it| it.value).collect()
        };
        assert_eq!(names(json!({})), ["spot"]);
        assert_eq!(names(json!({"capacityProviderStrategy": []})), ["spot"]);
        assert_eq!(names(json!({"launchType": "EC2"})), [""; 0]);
        let own = json!({"capacityProviderStrategy": [{"capacityProvider": "own"}]});
        assert_eq!(names(own), ["own"]);
        assert!(capacity_providers(&json!({}), None).is_empty());
    }

    #[test]
    fn patches_are_known_by_the_members_that_they_change() {
        let spec = json!({"kubernetes": {"pod": {"patch": {
            "metadata": {"annotations": {"a/b": "c"}},
            "spec": {
                "dnsPolicy": null,
                "nodeSelector": {},
                "containers": [{"name": "web", "stdin": true, "args": ["a"]}],
                "imagePullSecrets": [{"name": "registry"}],
            },
        }}}});
        let members: Vec<String> = patched_members(&spec)
            .into_iter()
            .map(|it| it.value)
            .collect();
        let expected = [
            "metadata.annotations.a/b",
            "spec.containers[].args",
            "spec.containers[].stdin",
            "spec.dnsPolicy",
            "spec.imagePullSecrets[].name",
            "spec.nodeSelector",
        ];
        assert_eq!(members, expected);
        assert!(patched_members(&json!({"kubernetes": {"pod": {}}})).is_empty());
    }
}
