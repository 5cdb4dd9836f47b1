//! Finds the resources of a plan or a state.

use std::collections::BTreeMap;

use super::{
    super::tree::{DEPTH_LIMIT, Node, Value},
    Document,
    address::{Step, steps},
    attribute::{has_true, is_empty},
    resource::Resource,
};

/// Returns the instances of resources, in the order of the text. What only data sources read is left out.
pub(super) fn resources<'t, 'a>(root: &'t Node<'a>, document: Document) -> Vec<Resource<'t, 'a>> {
    let section = match document {
        Document::Plan => root.get("planned_values"),
        Document::State => root.get("values"),
        Document::Stored => return stored(root),
    };
    let mut found = Vec::new();
    if let Some(module) = section.and_then(|it| it.get("root_module")) {
        of_module(module, DEPTH_LIMIT, &mut found);
    }
    let unknown = unknown_values(root);
    for resource in &mut found {
        resource.unknown = unknown.get(&*resource.address).copied();
    }
    found
}

/// Adds the resources of a module and of those that it calls.
fn of_module<'t, 'a>(module: &'t Node<'a>, depth: usize, found: &mut Vec<Resource<'t, 'a>>) {
    let list = |key| module.get(key).and_then(Node::elements).unwrap_or_default();
    let calls = calls(module.get("address").and_then(Node::text));
    found.extend(list("resources").iter().filter_map(|node| of(node, &calls)));
    if depth > 0 {
        for child in list("child_modules") {
            of_module(child, depth.saturating_sub(1), found);
        }
    }
}

fn of<'t, 'a>(node: &'t Node<'a>, calls: &[Step]) -> Option<Resource<'t, 'a>> {
    let text = |key: &str| node.get(key).and_then(Node::text);
    if text("mode").is_some_and(|mode| mode != "managed") {
        return None;
    }
    let type_ = text("type")?;
    let name = text("name").unwrap_or(type_);
    let key = key(node.get("index"));
    let address = match text("address") {
        Some(address) => address.to_owned(),
        None => format!("{type_}.{name}"),
    };
    let marked = node.get("sensitive_values").and_then(Node::members);
    let marked = marked.unwrap_or_default().iter();
    let marked = marked.filter(|member| has_true(&member.value));
    Some(Resource {
        address,
        module: calls.to_vec(),
        type_: type_.to_owned(),
        name: name.to_owned(),
        key,
        span: node.span,
        values: node.get("values"),
        unknown: None,
        expressions: None,
        sensitive: marked.map(|member| &*member.key).collect(),
    })
}

/// Returns the calls in the address of a module: `web["a"]` and `task` of `module.web["a"].module.task`.
fn calls(address: Option<&str>) -> Vec<Step> {
    let Some(address) = address else {
        return Vec::new();
    };
    let steps = steps(address).into_iter();
    steps.skip(1).step_by(2).collect()
}

/// Returns the key of an instance.
fn key(node: Option<&Node<'_>>) -> Option<String> {
    match &node?.value {
        Value::String(text) | Value::Number(text) => Some(text.to_string()),
        _ => None,
    }
}

/// Returns what is not known of each resource of a plan.
fn unknown_values<'t, 'a>(root: &'t Node<'a>) -> BTreeMap<&'t str, &'t Node<'a>> {
    let changes = root.get("resource_changes").and_then(Node::elements);
    let changes = changes.unwrap_or_default().iter().filter_map(|change| {
        let unknown = change.get("change")?.get("after_unknown")?;
        let address = change.get("address")?.text()?;
        // The remains of a resource that is replaced have the same address.
        let is_current = change.get("deposed").is_none_or(is_empty);
        is_current.then_some((address, unknown))
    });
    changes.collect()
}

/// Returns the resources of a state as Terraform stores it.
fn stored<'t, 'a>(root: &'t Node<'a>) -> Vec<Resource<'t, 'a>> {
    let list = |node: &'t Node<'a>, key| node.get(key).and_then(Node::elements);
    let mut found = Vec::new();
    for node in list(root, "resources").unwrap_or_default() {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let (Some(type_), Some(name)) = (text("type"), text("name")) else {
            continue;
        };
        if text("mode").is_some_and(|mode| mode != "managed") {
            continue;
        }
        let module = text("module");
        let prefix = module.map_or_else(String::new, |module| format!("{module}."));
        for instance in list(node, "instances").unwrap_or_default() {
            if instance.get("deposed").is_some_and(|it| !is_empty(it)) {
                continue;
            }
            let index = instance.get("index_key");
            let key = key(index);
            let bracket = match (&key, index.map(|it| &it.value)) {
                (Some(key), Some(Value::String(_))) => format!("[\"{key}\"]"),
                (Some(key), _) => format!("[{key}]"),
                (None, _) => String::new(),
            };
            found.push(Resource {
                address: format!("{prefix}{type_}.{name}{bracket}"),
                module: calls(module),
                type_: type_.to_owned(),
                name: name.to_owned(),
                key,
                span: instance.span,
                values: instance.get("attributes"),
                unknown: None,
                expressions: None,
                sensitive: sensitive(instance),
            });
        }
    }
    found
}

/// Returns the arguments that the paths in `sensitive_attributes` lead into.
fn sensitive<'t>(instance: &'t Node<'_>) -> Vec<&'t str> {
    let paths = instance
        .get("sensitive_attributes")
        .and_then(Node::elements);
    let names = paths.unwrap_or_default().iter().filter_map(|path| {
        let first = path.elements()?.first()?;
        first.get("value")?.text()
    });
    names.collect()
}
