//! `cargo xtask schemas`: updates `tests/schemas/` from the projects that own the schemas.
//!
//! This requires `go` (for its module proxy) and `git`. Only what the tests read is kept: the structure. Descriptions,
//! defaults, patch strategies, CEL rules and `status` are omitted.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value, json};

use crate::{Result, run::output};

/// The origin of files.
enum Origin {
    /// A Go module and its version.
    Module(&'static str, &'static str),
    /// A repository on GitHub and its tag, for files that the module proxy does not have.
    Tag(&'static str, &'static str),
}

const KUBERNETES: Origin = Origin::Module("k8s.io/kubernetes", "v1.36.3");

/// The Kubernetes kinds that the program prints.
const KINDS: &[(&str, &str)] = &[
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "CronJob"),
    ("networking/v1", "Ingress"),
    ("networking/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("storage/v1", "StorageClass"),
    ("core/v1", "ConfigMap"),
    ("core/v1", "PersistentVolume"),
    ("core/v1", "PersistentVolumeClaim"),
    ("core/v1", "Pod"),
    ("core/v1", "Secret"),
    ("core/v1", "Service"),
    ("core/v1", "ServiceAccount"),
];

/// A custom resource definition of an add-on.
struct CustomResource {
    origin: Origin,
    path: &'static str,
    version: &'static str,
    /// The only members of a large object that are kept, if a schema has one that lists every product.
    only: Option<(&'static str, &'static [&'static str])>,
}

const CUSTOM_RESOURCES: &[CustomResource] = &[
    CustomResource {
        origin: Origin::Module(
            "github.com/kubernetes-sigs/aws-load-balancer-controller",
            "v0.0.0-20260423195125-93ff3b5fdaad",
        ),
        path: "config/crd/bases/elbv2.k8s.aws_targetgroupbindings.yaml",
        version: "v1beta1",
        only: None,
    },
    CustomResource {
        origin: Origin::Module("github.com/external-secrets/external-secrets", "v1.3.2"),
        path: "config/crds/bases/external-secrets.io_externalsecrets.yaml",
        version: "v1",
        only: None,
    },
    CustomResource {
        origin: Origin::Module("github.com/external-secrets/external-secrets", "v1.3.2"),
        path: "config/crds/bases/external-secrets.io_secretstores.yaml",
        version: "v1",
        only: Some(("/properties/spec/properties/provider/properties", &["aws"])),
    },
    CustomResource {
        origin: Origin::Module("github.com/external-secrets/external-secrets", "v1.3.2"),
        path: "config/crds/bases/generators.external-secrets.io_ecrauthorizationtokens.yaml",
        version: "v1alpha1",
        only: None,
    },
    CustomResource {
        origin: Origin::Module("github.com/kedacore/keda/v2", "v2.21.0"),
        path: "config/crd/bases/keda.sh_scaledobjects.yaml",
        version: "v1alpha1",
        only: None,
    },
    CustomResource {
        origin: Origin::Module("sigs.k8s.io/karpenter", "v1.14.0"),
        path: "pkg/apis/crds/karpenter.sh_nodepools.yaml",
        version: "v1",
        only: None,
    },
    CustomResource {
        origin: Origin::Module(
            "github.com/aws/amazon-vpc-resource-controller-k8s",
            "v1.8.2",
        ),
        path: "config/crd/bases/vpcresources.k8s.aws_securitygrouppolicies.yaml",
        version: "v1beta1",
        only: None,
    },
    CustomResource {
        origin: Origin::Module(
            "github.com/kubernetes-csi/external-snapshotter/client/v8",
            "v8.7.0",
        ),
        path: "config/crd/snapshot.storage.k8s.io_volumesnapshots.yaml",
        version: "v1",
        only: None,
    },
    CustomResource {
        origin: Origin::Module(
            "github.com/kubernetes-csi/external-snapshotter/client/v8",
            "v8.7.0",
        ),
        path: "config/crd/snapshot.storage.k8s.io_volumesnapshotcontents.yaml",
        version: "v1",
        only: None,
    },
    CustomResource {
        origin: Origin::Tag("github.com/aws-controllers-k8s/eks-controller", "v1.20.0"),
        path: "config/crd/bases/eks.services.k8s.aws_podidentityassociations.yaml",
        version: "v1alpha1",
        only: None,
    },
];

/// Writes all data files of `tests/schemas/`.
///
/// # Errors
///
/// Returns an error if a source is not available or has an unexpected format.
pub fn run(_args: &[String]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/schemas");
    fs::create_dir_all(&folder)?;
    let path = folder.join("kubernetes.json");
    fs::write(&path, kubernetes()?)?;
    println!("{}", path.display());
    for resource in CUSTOM_RESOURCES {
        let (name, text) = custom_resource(resource)?;
        let path = folder.join(format!("{name}.json"));
        fs::write(&path, text)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Returns the definitions of [`KINDS`] and those that they refer to, one per line.
fn kubernetes() -> Result<String> {
    let path = KUBERNETES.folder()?.join("api/openapi-spec/swagger.json");
    let document: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let all = member(&document, "definitions")?;
    let mut kinds = BTreeMap::new();
    let mut wanted = Vec::new();
    for (group_version, kind) in KINDS {
        let name = format!("io.k8s.api.{}.{kind}", group_version.replace('/', "."));
        wanted.push(name.clone());
        kinds.insert(format!("{} {kind}", api_version(all, &name)?), name);
    }
    let mut kept = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if kept.contains_key(&name) {
            continue;
        }
        let mut definition = member(all, &name)?.clone();
        if kinds.values().any(|kind| *kind == name) {
            remove(&mut definition, "/properties", "status");
        }
        reduce(&mut definition);
        references(&definition, &mut wanted);
        kept.insert(name, definition);
    }
    let mut text = format!(
        "{{\n\"source\": {},\n\"kinds\": {},\n\"definitions\": {{\n",
        json!(KUBERNETES.to_string()),
        serde_json::to_string_pretty(&kinds)?
    );
    let lines: Vec<String> = kept
        .iter()
        .map(|(name, definition)| format!("{}: {definition}", json!(name)))
        .collect();
    writeln!(text, "{}\n}}\n}}", lines.join(",\n"))?;
    Ok(text)
}

/// Returns the `apiVersion` of the kind that `name` defines.
fn api_version(definitions: &Value, name: &str) -> Result<String> {
    let names = member(
        member(definitions, name)?,
        "x-kubernetes-group-version-kind",
    )?;
    let group = names[0]["group"].as_str().unwrap_or_default();
    let version = names[0]["version"].as_str().unwrap_or_default();
    Ok(if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    })
}

/// Collects the definitions that `schema` refers to.
fn references(schema: &Value, into: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(target) if name == "$ref" => {
                        into.extend(target.rsplit('/').next().map(str::to_owned));
                    }
                    _ => references(value, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}

/// Returns the name of the kind's file and its text.
fn custom_resource(resource: &CustomResource) -> Result<(String, String)> {
    let text = fs::read_to_string(resource.origin.folder()?.join(resource.path))?;
    let document: Value = serde_saphyr::from_str(&text)?;
    let spec = member(&document, "spec")?;
    let group = member(spec, "group")?.as_str().unwrap_or_default();
    let names = member(spec, "names")?;
    let kind = member(names, "kind")?.as_str().unwrap_or_default();
    let plural = member(names, "plural")?.as_str().unwrap_or_default();
    let version = member(spec, "versions")?
        .as_array()
        .into_iter()
        .flatten()
        .find(|version| version["name"] == resource.version)
        .ok_or_else(|| format!("{kind} has no version {}", resource.version))?;
    let mut schema = version["schema"]["openAPIV3Schema"].clone();
    if let Some((pointer, names)) = resource.only
        && let Some(Value::Object(members)) = schema.pointer_mut(pointer)
    {
        members.retain(|name, _| names.contains(&name.as_str()));
    }
    remove(&mut schema, "/properties", "status");
    reduce(&mut schema);
    let file = json!({
        "source": format!("{} {}", resource.origin, resource.path),
        "kind": format!("{group}/{} {kind}", resource.version),
        "scope": member(spec, "scope")?,
        "schema": schema,
    });
    Ok((
        format!("{group}_{plural}"),
        format!("{}\n", serde_json::to_string_pretty(&file)?),
    ))
}

/// Removes from a schema, at every depth, everything that only people and servers read.
fn reduce(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return;
    };
    members.retain(|keyword, _| {
        !matches!(
            keyword.as_str(),
            "description"
                | "default"
                | "example"
                | "nullable"
                | "x-kubernetes-group-version-kind"
                | "x-kubernetes-map-type"
                | "x-kubernetes-patch-merge-key"
                | "x-kubernetes-patch-strategy"
                | "x-kubernetes-unions"
                | "x-kubernetes-validations"
        )
    });
    for (keyword, value) in members.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties.values_mut().for_each(reduce);
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(items)) => {
                items.iter_mut().for_each(reduce);
            }
            (_, value) => reduce(value),
        }
    }
}

fn remove(schema: &mut Value, pointer: &str, name: &str) {
    if let Some(members) = schema.pointer_mut(pointer).and_then(Value::as_object_mut) {
        members.shift_remove(name);
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Result<&'a Value> {
    value
        .as_object()
        .and_then(|members: &Map<String, Value>| members.get(name))
        .ok_or_else(|| format!("no `{name}`").into())
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Module(path, version) | Self::Tag(path, version)) = self;
        write!(f, "{path}@{version}")
    }
}

impl Origin {
    /// Returns the folder with the source's files.
    fn folder(&self) -> Result<PathBuf> {
        match self {
            Self::Module(path, version) => {
                let printed = output(Command::new("go").current_dir(env::temp_dir()).args([
                    "mod",
                    "download",
                    "-json",
                    &format!("{path}@{version}"),
                ]))?;
                let answer: Value = serde_json::from_str(&printed)?;
                Ok(member(&answer, "Dir")?.as_str().unwrap_or_default().into())
            }
            Self::Tag(path, tag) => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("../target/schemas")
                    .join(path)
                    .join(tag);
                if !folder.exists() {
                    output(
                        Command::new("git")
                            .args(["clone", "--quiet", "--depth=1", "--branch", tag])
                            .arg(format!("https://{path}"))
                            .arg(&folder),
                    )?;
                }
                Ok(folder)
            }
        }
    }
}
