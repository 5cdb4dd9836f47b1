//! What can be said of an attribute before the plan is applied.

use super::{
    super::tree::Node,
    attribute::Attribute,
    family::TASK_DEFINITION,
    named::{filled, named},
    plan::Plan,
    reference::Referent,
    resource::Resource,
};

/// Whether an argument is nothing but what another resource has, so that what it refers to stands for it. The text of
/// another argument may be composed of references and more.
fn is_reference(path: &str) -> bool {
    const NAMES: &[&str] = &[
        "alarm_actions",
        "capacity_provider",
        "cluster",
        "event_bus_name",
        "iam_role",
        "insufficient_data_actions",
        "ok_actions",
        "resource_id",
        "rule",
        "security_groups",
        "source",
        "subnets",
        "target",
        "task_definition",
    ];
    let last = path.rsplit('.').next().unwrap_or_default();
    let is_id = ["arn", "arns", "_id", "_ids"]
        .iter()
        .any(|end| last.ends_with(end));
    is_id || NAMES.contains(&last)
}

impl<'t, 'a> Plan<'t, 'a> {
    /// Returns the text of an argument: its value, what it refers to, or a placeholder. `None` if it has none.
    pub(super) fn text(
        &mut self,
        resource: &Resource<'t, 'a>,
        attribute: Attribute<'t, 'a>,
        path: &str,
    ) -> Option<String> {
        if !attribute.is_unknown() {
            return attribute
                .text()
                .filter(|text| !text.is_empty())
                .map(str::to_owned);
        }
        let before = self.opened();
        let texts = self.open_texts(resource, attribute, path);
        if let [only] = texts.as_slice() {
            return Some(only.clone());
        }
        // None of the placeholders is in the output.
        self.forget(before);
        Some(self.open(&format!("{}.{path}", resource.address)))
    }

    /// Returns the texts of an argument that is a list.
    pub(super) fn all_texts(
        &mut self,
        resource: &Resource<'t, 'a>,
        attribute: Attribute<'t, 'a>,
        path: &str,
    ) -> Vec<String> {
        if attribute.is_unknown() {
            return self.open_texts(resource, attribute, path);
        }
        // A configuration has an expression for each of the elements.
        if attribute
            .expression
            .is_some_and(|it| it.elements().is_some())
        {
            let elements = (0..attribute.length()).map(|at| attribute.element(at));
            let texts = elements.filter_map(|it| self.text(resource, it, path));
            return texts.collect();
        }
        let unknown = (0..attribute.length()).filter(|at| attribute.element(*at).is_unknown());
        let unknown = unknown.count();
        let mut texts: Vec<String> = Vec::with_capacity(attribute.length());
        for at in 0..attribute.length() {
            let element = attribute.element(at);
            if !element.is_unknown() {
                texts.extend(element.text().map(str::to_owned));
            }
        }
        if unknown > 0 {
            // Which elements are not known is not said in the order of the references.
            let open = self.open_texts(resource, attribute, path);
            texts.extend(
                open.into_iter()
                    .filter(|text| text.contains("${"))
                    .take(unknown),
            );
        }
        texts
    }

    /// Returns what stands for an argument that is not known; each text once.
    fn open_texts(
        &mut self,
        resource: &Resource<'t, 'a>,
        attribute: Attribute<'t, 'a>,
        path: &str,
    ) -> Vec<String> {
        let own = format!("{}.{path}", resource.address);
        if let Some(given) = self.given(&own) {
            return vec![given.to_owned()];
        }
        let mut texts = Vec::new();
        if is_reference(path) {
            let referents = self.referents(resource, attribute);
            // With a variable among several, the expression may choose between them, and not have all.
            let is_variable = |it: &Referent| match it {
                Referent::Other { name } => ["var.", "local.", "each.", "count."]
                    .iter()
                    .any(|prefix| name.starts_with(prefix)),
                _ => false,
            };
            let is_choice = referents.len() > 1 && referents.iter().any(is_variable);
            for referent in referents.into_iter().filter(|_| !is_choice) {
                let text = self.of_referent(&referent, path);
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
        if texts.is_empty() {
            texts.push(self.open(&own));
        }
        texts
    }

    /// Returns what a reference stands for in an argument.
    fn of_referent(&mut self, referent: &Referent, path: &str) -> String {
        let (index, attribute) = match referent {
            Referent::Constant(text) => return text.clone(),
            Referent::Other { name } => return self.given_or_open(name),
            Referent::Resource { index, attribute } => (*index, attribute.as_str()),
        };
        let resources = self.resources();
        let Some(resource) = resources.get(index) else {
            return String::new();
        };
        let last = path.rsplit('.').next().unwrap_or_default();
        let attribute = match attribute {
            // With a key that is an expression, the attribute is not a part of the reference.
            "" if is_arn(last) => "arn",
            "" => "id",
            given => given,
        };
        let address = format!("{}.{attribute}", resource.address);
        if let Some(given) = self.given(&address) {
            return given.to_owned();
        }
        let known = self.within(|plan| plan.known(resource, attribute, last));
        known.unwrap_or_else(|| self.open(&address))
    }

    fn given_or_open(&mut self, name: &str) -> String {
        let given = self.given(name).map(str::to_owned);
        given.unwrap_or_else(|| self.open(name))
    }

    /// Returns what can be said of an attribute that the argument `last` refers to.
    fn known(
        &mut self,
        resource: &Resource<'t, 'a>,
        attribute: &str,
        last: &str,
    ) -> Option<String> {
        match (&*resource.type_, last, attribute) {
            // Services and tasks take a family too, which is the same everywhere.
            (TASK_DEFINITION, ..) => return self.family(resource),
            ("aws_ecs_cluster", "cluster", _) => return self.argument(resource, "name"),
            ("aws_ecs_service", "resource_id", _) => return self.scaled_id(resource),
            ("aws_appautoscaling_target", "resource_id", _) => {
                return self.argument(resource, "resource_id");
            }
            ("aws_appautoscaling_policy", _, "arn") => return self.policy_arn(resource),
            _ => {}
        }
        let value = resource.values.and_then(|it| it.get(attribute));
        if let Some(text) = value.and_then(Node::scalar).filter(|text| !text.is_empty()) {
            return Some(text.to_owned());
        }
        named(&resource.type_, attribute, self.values, |name| {
            resource.text(name).map(str::to_owned)
        })
    }

    /// Returns an argument of a resource.
    pub(super) fn argument(&mut self, resource: &Resource<'t, 'a>, name: &str) -> Option<String> {
        let attribute = self.attributes(resource).member(name);
        self.text(resource, attribute, name)
    }

    /// Returns what Application Auto Scaling calls a service.
    fn scaled_id(&mut self, service: &Resource<'t, 'a>) -> Option<String> {
        let name = self.argument(service, "name")?;
        let cluster = self.argument(service, "cluster");
        let cluster = cluster
            .as_deref()
            .map(|it| it.rsplit('/').next().unwrap_or(it));
        Some(format!("service/{}/{name}", cluster.unwrap_or("default")))
    }

    /// Returns the ARN of a scaling policy, by which alarms name it. Its number is not known, and not needed.
    fn policy_arn(&mut self, policy: &Resource<'t, 'a>) -> Option<String> {
        if let Some(arn) = policy.text("arn") {
            return Some(arn.to_owned());
        }
        let name = policy.text("name")?;
        let id = self.argument(policy, "resource_id")?;
        let namespace = policy.text("service_namespace").unwrap_or("ecs");
        let arn = filled(
            "arn:{partition}:autoscaling:{region}:{account}:scalingPolicy:",
            self.values,
            policy.text("region"),
        );
        let unique = "00000000-0000-0000-0000-000000000000";
        Some(format!(
            "{arn}{unique}:resource/{namespace}/{id}:policyName/{name}"
        ))
    }
}

/// Whether an argument is an ARN by its name.
fn is_arn(last: &str) -> bool {
    last.ends_with("arn") || matches!(last, "task_definition" | "source" | "alarm_actions")
}
