//! The rights of the operator, and which of them it uses.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

const USER: &str = "system:serviceaccount:ecs-operator:ecs-operator";

/// A verb and what it is done to: group, resource with its subresource.
pub type Right = (String, String, String);

/// What is used, but not by the test that looks.
fn is_excused((verb, group, resource): &Right) -> bool {
    match (verb.as_str(), group.as_str(), resource.as_str()) {
        // A cache that lags makes it ask for what exists; for these there is no way to make it lag.
        ("get", "", "persistentvolumes" | "pods")
        | ("get", "storage.k8s.io", _)
        | ("get", "snapshot.storage.k8s.io", "volumesnapshotcontents") => true,
        // Other tests see volumes released, tasks stopped and expired, old revisions forgotten and returned to, services
        // scaled by what their tasks use, capacity providers, schedules, rules and pipes with the tasks that they start, and what
        // App Runner services make.
        ("list", "metrics.k8s.io", "pods")
        | ("delete", "", "persistentvolumes" | "pods")
        | ("create", "", "pods/eviction")
        | ("delete" | "get" | "patch", "apps", "controllerrevisions")
        | ("list", "apps", "replicasets")
        | ("create" | "delete" | "get", "ecs-operator.dev", "ecstasks")
        | ("delete" | "get", "ecs-operator.dev", "ecsschedules")
        | ("get", "ecs-operator.dev", "ecspipes" | "ecsrules")
        | (
            "patch",
            "ecs-operator.dev",
            "ecspipes/status"
            | "ecsrules/status"
            | "ecsschedules/status"
            | "apprunnerservices/status",
        )
        | ("get", "ecs-operator.dev", "ecstaskdefinitions")
        | ("create" | "patch", "ecs-operator.dev", "ecstaskdefinitions" | "ecsservices")
        | ("patch", "ecs-operator.dev", "ecscapacityproviders" | "ecscapacityproviders/status") => {
            true
        }
        _ => false,
    }
}

/// The requests that an API server had.
pub struct Audit {
    folder: PathBuf,
}

impl Audit {
    /// Those of one API server; its name is that of a folder.
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("audit")
            .join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let policy = format!(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n  users: [{USER}]\n- level: None\n"
        );
        fs::write(folder.join("policy.yaml"), policy).unwrap();
        Self { folder }
    }

    pub fn apiserver_args(&self) -> Vec<String> {
        let folder = self.folder.display();
        vec![
            format!("--audit-policy-file={folder}/policy.yaml"),
            format!("--audit-log-path={folder}/log"),
        ]
    }

    /// The rights that it took.
    pub fn used(&self) -> BTreeSet<Right> {
        used(&fs::read_to_string(self.folder.join("log")).unwrap())
    }
}

/// Every right was used, but for those that are excused.
pub fn check(used: &BTreeSet<Right>) {
    let unused: Vec<Right> = granted()
        .into_iter()
        .filter(|right| !used.contains(right) && !is_excused(right))
        .collect();
    assert_eq!(unused, [], "these rights were not used");
}

fn used(log: &str) -> BTreeSet<Right> {
    let mut used = BTreeSet::new();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |path: &str| event.pointer(path).and_then(Value::as_str);
        let Some(resource) = text("/objectRef/resource") else {
            continue;
        };
        let resource = match text("/objectRef/subresource") {
            Some(subresource) => format!("{resource}/{subresource}"),
            None => resource.to_owned(),
        };
        let group = text("/objectRef/apiGroup").unwrap_or_default().to_owned();
        let verb = text("/verb").unwrap().to_owned();
        // An apply that makes an object takes the right to do so as well.
        if verb == "patch" && event.pointer("/responseStatus/code") == Some(&201.into()) {
            used.insert(("create".to_owned(), group.clone(), resource.clone()));
        }
        used.insert((verb, group, resource));
    }
    used
}

/// The rights of the ClusterRole and the Role of the operator, one by one.
fn granted() -> BTreeSet<Right> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/operator.yaml");
    let manifests = fs::read_to_string(path).unwrap();
    let mut granted = BTreeSet::new();
    for document in manifests.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document).unwrap();
        let is_role = matches!(object["kind"].as_str(), Some("ClusterRole" | "Role"));
        if !is_role || object["metadata"]["name"] != "ecs-operator" {
            continue;
        }
        let texts = |value: &Value| -> Vec<String> {
            let list = value.as_array().unwrap().iter();
            list.map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        for rule in object["rules"].as_array().unwrap() {
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        granted.insert((verb, group.clone(), resource.clone()));
                    }
                }
            }
        }
    }
    assert!(!granted.is_empty());
    granted
}
