//! Checks whether an API server would accept the printed objects: with the real schemas, applied strictly, and the
//! rules that are not in schemas.

mod lists;
mod objects;
mod pods;
mod values;

use std::{collections::BTreeMap, sync::LazyLock};

use ecs_operator::crd;
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// The schema of one kind.
struct Kind {
    validator: Validator,
    schema: Value,
    namespaced: bool,
}

static KINDS: LazyLock<BTreeMap<String, Kind>> = LazyLock::new(load);

/// Returns all problems of `objects`, which are printed together.
pub fn problems(objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for object in objects {
        let name = identity(object);
        let mut report = |problem: String| found.push(format!("{name}: {problem}"));
        match KINDS.get(&kind(object)) {
            None => report("a kind without a schema".to_owned()),
            Some(kind) => {
                for error in kind.validator.iter_errors(object) {
                    report(format!("{} at {}", error, error.instance_path()));
                }
                // A request contains the empty objects that its author wrote.
                if !is_request(object) {
                    lists::check(&kind.schema, object, &mut report);
                }
                objects::check_metadata(object, kind.namespaced, &mut report);
            }
        }
        objects::check(object, &mut report);
    }
    objects::check_together(objects, &mut |problem| found.push(problem));
    found
}

/// Whether the object is a custom resource of this operator.
fn is_request(object: &Value) -> bool {
    object["apiVersion"] == crd::API_VERSION
}

/// Returns `apps/v1 Deployment`.
fn kind(object: &Value) -> String {
    let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
    format!("{} {}", text("apiVersion"), text("kind"))
}

/// Returns `Deployment web`.
fn identity(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or("?");
    let name = object["metadata"]["name"].as_str().unwrap_or("?");
    format!("{kind} {name}")
}

fn load() -> BTreeMap<String, Kind> {
    let mut kinds = BTreeMap::new();
    let kubernetes = parse(include_str!("../../schemas/kubernetes.json"));
    let mut definitions = kubernetes["definitions"].clone();
    for (name, definition) in definitions.as_object_mut().into_iter().flatten() {
        match name.as_str() {
            "io.k8s.apimachinery.pkg.api.resource.Quantity" => *definition = quantity(),
            _ => strict(definition),
        }
    }
    for (kind, definition) in kubernetes["kinds"].as_object().into_iter().flatten() {
        let name = definition.as_str().unwrap_or_default();
        let schema = json!({
            "$ref": format!("#/definitions/{name}"),
            "definitions": definitions,
        });
        let namespaced = !matches!(
            kind.as_str(),
            "v1 PersistentVolume" | "storage.k8s.io/v1 StorageClass"
        );
        kinds.insert(kind.clone(), compile(schema, namespaced));
    }
    for text in CUSTOM_RESOURCES {
        let file = parse(text);
        let mut schema = file["schema"].clone();
        strict(&mut schema);
        schema["properties"]["metadata"] = json!({
            "$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
        });
        schema["definitions"] = definitions.clone();
        let namespaced = file["scope"] == "Namespaced";
        let name = file["kind"].as_str().unwrap_or_default();
        if name == "elbv2.k8s.aws/v1beta1 TargetGroupBinding" {
            let auto_mode = "eks.amazonaws.com/v1 TargetGroupBinding".to_owned();
            kinds.insert(auto_mode, compile(schema.clone(), namespaced));
        }
        kinds.insert(name.to_owned(), compile(schema, namespaced));
    }
    for definition in crd::definitions() {
        let definition = serde_json::to_value(definition).expect("a definition is plain data");
        let mut schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        for name in ["apiVersion", "kind"] {
            schema["properties"][name] = json!({"type": "string"});
        }
        strict(&mut schema);
        schema["properties"]["metadata"] = json!({
            "$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
        });
        schema["definitions"] = definitions.clone();
        let name = definition["spec"]["names"]["kind"].as_str();
        let name = format!("{} {}", crd::API_VERSION, name.unwrap_or_default());
        kinds.insert(name, compile(schema, true));
    }
    kinds
}

const CUSTOM_RESOURCES: &[&str] = &[
    include_str!("../../schemas/eks.services.k8s.aws_podidentityassociations.json"),
    include_str!("../../schemas/elbv2.k8s.aws_targetgroupbindings.json"),
    include_str!("../../schemas/external-secrets.io_externalsecrets.json"),
    include_str!("../../schemas/external-secrets.io_secretstores.json"),
    include_str!("../../schemas/generators.external-secrets.io_ecrauthorizationtokens.json"),
    include_str!("../../schemas/karpenter.sh_nodepools.json"),
    include_str!("../../schemas/keda.sh_scaledobjects.json"),
    include_str!("../../schemas/snapshot.storage.k8s.io_volumesnapshotcontents.json"),
    include_str!("../../schemas/snapshot.storage.k8s.io_volumesnapshots.json"),
    include_str!("../../schemas/vpcresources.k8s.aws_securitygrouppolicies.json"),
];

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("the schemas are JSON")
}

fn compile(schema: Value, namespaced: bool) -> Kind {
    let validator = jsonschema::options()
        .with_draft(Draft::Draft7)
        .build(&schema)
        .expect("the schemas are schemas");
    Kind {
        validator,
        schema,
        namespaced,
    }
}

/// Returns a schema of quantities that are canonical enough for a person: digits, an optional fraction, a suffix.
fn quantity() -> Value {
    json!({
        "type": "string",
        "pattern": "^[0-9]+(\\.[0-9]+)?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
    })
}

/// Converts an `OpenAPI` schema to a JSON schema that allows no unknown members, like the API server's strict field
/// validation.
fn strict(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return;
    };
    for (keyword, value) in members.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(strict),
            ("items" | "additionalProperties" | "not", value) => strict(value),
            // These add conditions to a structure beside them, so they stay open.
            _ => {}
        }
    }
    let open = members.contains_key("additionalProperties")
        || members.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if members.contains_key("properties") && !open {
        members.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    formats(members);
}

/// Replaces the formats of `OpenAPI` with their meaning.
fn formats(members: &mut Map<String, Value>) {
    let int_or_string = members.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
    let format = members.remove("format");
    match format.as_ref().and_then(Value::as_str) {
        _ if int_or_string => {
            members.insert("type".to_owned(), json!(["integer", "string"]));
        }
        Some("int-or-string") => {
            members.insert("type".to_owned(), json!(["integer", "string"]));
        }
        Some("int32") => {
            members.entry("minimum").or_insert(json!(i32::MIN));
            members.entry("maximum").or_insert(json!(i32::MAX));
        }
        Some("byte") => {
            let base64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";
            members.insert("pattern".to_owned(), json!(base64));
        }
        _ => {}
    }
}

#[test]
fn a_printed_object_must_fit_its_schema() {
    let good = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "web", "namespace": "shop", "labels": {
            "app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "web",
            "app.kubernetes.io/managed-by": "ecs-operator"
        }},
        "data": {"a": "b"}
    });
    assert_eq!(problems(std::slice::from_ref(&good)), Vec::<String>::new());
    for (pointer, value) in [
        ("/data/a", json!(1)),
        ("/data", json!({})),
        ("/metadata/name", json!("Web")),
        ("/metadata/labels", json!({"app.kubernetes.io/name": "web"})),
        ("/kind", json!("Confmap")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("the pointer exists") = value;
        assert_ne!(problems(&[bad]), Vec::<String>::new(), "{pointer}");
    }
    let mut unknown = good.clone();
    unknown["dta"] = json!({"a": "b"});
    assert_ne!(problems(&[unknown]), Vec::<String>::new());
    assert_ne!(problems(&[good.clone(), good]), Vec::<String>::new());
}
