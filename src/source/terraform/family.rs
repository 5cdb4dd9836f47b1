//! Task definitions of one family: which of them the resources run, and which of them anything refers to. Terraform
//! registers each as a revision
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecs_task_definition>).

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::{
    super::{
        family::{Candidate, Families, Finding, Revision, Revisions},
        reference::Reference,
        tree::Node,
    },
    address::{Step, placeholder_name, steps},
    attribute::Attribute,
    plan::Plan,
    reference::Referent,
    resource::Resource,
};

pub(super) const TASK_DEFINITION: &str = "aws_ecs_task_definition";

/// The deepest calls of modules whose expressions are searched.
const DEEPEST: usize = 32;

/// Where resources name the task definition that they run.
const RUNNERS: &[(&str, &[&str])] = &[
    (
        "aws_cloudwatch_event_target",
        &["ecs_target", "task_definition_arn"],
    ),
    ("aws_ecs_service", &["task_definition"]),
    (
        "aws_pipes_pipe",
        &[
            "target_parameters",
            "ecs_task_parameters",
            "task_definition_arn",
        ],
    ),
    (
        "aws_scheduler_schedule",
        &["target", "ecs_parameters", "task_definition_arn"],
    ),
];

/// Whether resources of a type run task definitions, so that what they refer to is followed and not only searched.
pub(super) fn runs(type_: &str) -> bool {
    RUNNERS.iter().any(|(name, _)| *name == type_)
}

/// The blocks of task definitions that anything refers to, by the names of the calls of their modules and their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Mentions(BTreeSet<(Vec<String>, String)>);

impl Mentions {
    pub(super) fn add(&mut self, calls: &[Step], name: &str) {
        self.0.insert((names(calls), name.to_owned()));
    }

    fn has(&self, resource: &Resource<'_, '_>) -> bool {
        let own = (names(&resource.module), resource.name.clone());
        self.0.contains(&own)
    }
}

fn names(calls: &[Step]) -> Vec<String> {
    calls.iter().map(|call| call.name.clone()).collect()
}

/// Returns the task definitions that do not keep their families, by their addresses, and what there is to say of it.
pub(super) fn revisions(plan: &mut Plan<'_, '_>) -> (Revisions, Vec<Finding>) {
    let all = plan.resources();
    let mut families = Families::default();
    for (index, family) in plan.families().iter() {
        if let Some(resource) = all.get(*index) {
            let candidate = Candidate {
                id: resource.address.clone(),
                suffixes: [resource.made_name(), plain(&resource.address)],
                span: resource.span,
            };
            families.add(family.clone(), candidate);
        }
    }
    if !families.are_shared() {
        return (Revisions::new(), Vec::new());
    }
    let mut run = BTreeSet::new();
    let mut unclear = BTreeMap::new();
    let address = |index: &usize| all.get(*index).map(|it| it.address.clone());
    for resource in all.iter() {
        let runner = RUNNERS.iter().find(|(type_, _)| *type_ == resource.type_);
        let Some((_, path)) = runner else {
            continue;
        };
        let argument = plan.attributes(resource).at(path);
        let (ran, runner) = (plan.run_by(resource, argument), &resource.address);
        let them: Vec<String> = ran.them().iter().filter_map(address).collect();
        let remark = match &ran {
            Run::One { is_exact: true, .. } => None,
            Run::One { .. } => argument.text().map(|text| {
                let name = text.rsplit('/').next().unwrap_or(text);
                format!("{runner} runs {name}, which is not here")
            }),
            Run::Others(several) => (several.len() > 1).then(|| {
                let path = path.join(".");
                format!("{runner} runs one of them, by --set {runner}.{path}=FAMILY")
            }),
            Run::Unclear(_) => Some(format!("{runner} does not tell which of them it runs")),
        };
        if let Some(remark) = remark {
            unclear.extend(them.iter().map(|it| (it.clone(), remark.clone())));
        }
        if !matches!(ran, Run::Unclear(_)) {
            run.extend(them);
        }
    }
    let mentions = plan.mentions();
    let mentioned = all.iter().filter(|it| it.type_ == TASK_DEFINITION);
    let mentioned = mentioned.filter(|it| mentions.has(it));
    let mentioned = mentioned.map(|it| it.address.clone()).collect();
    families.revisions(&run, &unclear, &mentioned)
}

/// Returns an address as a part of a name.
fn plain(address: &str) -> String {
    let parts = address.split(|c: char| !c.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

impl<'t, 'a> Plan<'t, 'a> {
    /// Returns the family of a task definition as its document has it.
    pub(super) fn family(&mut self, resource: &Resource<'t, 'a>) -> Option<String> {
        match self.revisions.get(&resource.address) {
            Some(Revision::Renamed(name)) => Some(name.clone()),
            _ => self.argument(resource, "family"),
        }
    }

    /// Returns the family in place of a text by which a resource names one of the task definitions: a revision has no
    /// meaning in the cluster.
    pub(super) fn own_family(
        &mut self,
        resource: &Resource<'t, 'a>,
        argument: Attribute<'t, 'a>,
    ) -> Option<String> {
        let Run::One { index, is_exact } = self.run_by(resource, argument) else {
            return None;
        };
        let resources = self.resources();
        let definition = resources.get(index)?;
        let revision = self.revisions.get(&definition.address);
        // A revision that is not there is said of the text.
        let is_its = is_exact || matches!(revision, Some(Revision::Renamed(_)));
        is_its.then(|| self.family(definition)).flatten()
    }

    /// Returns the task definitions by their numbers, with the families that their arguments have.
    fn families(&mut self) -> Rc<[(usize, String)]> {
        if let Some(known) = &self.families {
            return Rc::clone(known);
        }
        let mut found = Vec::new();
        for (index, resource) in self.resources().iter().enumerate() {
            if resource.type_ == TASK_DEFINITION {
                let before = self.opened();
                let family = self.argument(resource, "family");
                self.forget(before);
                found.push((index, family.unwrap_or_else(|| resource.made_name())));
            }
        }
        let found: Rc<[(usize, String)]> = found.into();
        self.families = Some(Rc::clone(&found));
        found
    }

    /// Returns the task definitions that an argument of a resource names.
    fn run_by(&mut self, resource: &Resource<'t, 'a>, argument: Attribute<'t, 'a>) -> Run {
        let resources = self.resources();
        let is = |index: &usize| {
            let definition = resources.get(*index);
            definition.is_some_and(|it| it.type_ == TASK_DEFINITION)
        };
        let mut referred: Vec<usize> = Vec::new();
        for it in self.referents(resource, argument) {
            if let Referent::Resource { index, .. } = it
                && is(&index)
                && !referred.contains(&index)
            {
                referred.push(index);
            }
        }
        let Some(text) = argument.text().filter(|_| !argument.is_unknown()) else {
            return Run::of(referred);
        };
        let all = self.families();
        let at = |index: &usize| resources.get(*index);
        let mut revisions = all.iter().map(|(index, _)| *index);
        if let Some(index) = revisions.find(|it| at(it).is_some_and(|it| is_revision(it, text))) {
            let is_exact = true;
            return Run::One { index, is_exact };
        }
        let named = Reference::parse(text);
        let same = all.iter().filter(|(_, family)| **family == *named.family);
        let same: Vec<usize> = same.map(|(index, _)| *index).collect();
        referred.retain(|it| same.contains(it));
        if let [index] = *referred {
            let is_exact = named.revision.is_none();
            return Run::One { index, is_exact };
        }
        let candidates = if referred.is_empty() { same } else { referred };
        // The newest is run by the family alone, and in place of one that is not among them.
        let revision = |index: &usize| at(index).and_then(revision_of);
        if candidates.iter().all(|it| revision(it).is_some())
            && let Some(index) = candidates.iter().copied().max_by_key(|it| revision(it))
        {
            let is_exact = named.revision.is_none();
            return Run::One { index, is_exact };
        }
        match *candidates {
            [] => Run::Others(Vec::new()),
            [index] => Run::One {
                index,
                is_exact: false,
            },
            _ => Run::Unclear(candidates),
        }
    }

    /// Returns what anything but what runs tasks refers to.
    fn mentions(&self) -> Mentions {
        if let Some(mentions) = &self.mentioned {
            return mentions.clone();
        }
        let mut mentions = Mentions::default();
        if let Some(module) = self.configuration {
            of_module(module, &mut Vec::new(), &mut mentions);
        }
        mentions
    }
}

/// What an argument names.
enum Run {
    /// One task definition, and whether nothing more is to be said of what names it.
    One { index: usize, is_exact: bool },
    /// Those that an expression chooses from, or none.
    Others(Vec<usize>),
    /// One of several of a family, and which is not known.
    Unclear(Vec<usize>),
}

impl Run {
    /// Returns all that it may be.
    fn them(&self) -> &[usize] {
        match self {
            Self::One { index, .. } => std::slice::from_ref(index),
            Self::Others(them) | Self::Unclear(them) => them,
        }
    }

    fn of(referred: Vec<usize>) -> Self {
        match *referred {
            [index] => Self::One {
                index,
                is_exact: true,
            },
            _ => Self::Others(referred),
        }
    }
}

/// Returns the number of the revision of a task definition, which a state has.
fn revision_of(definition: &Resource<'_, '_>) -> Option<u64> {
    let revision = definition.values?.get("revision")?;
    revision.scalar()?.parse().ok()
}

/// Whether a text names a revision that a task definition is.
fn is_revision(definition: &Resource<'_, '_>, text: &str) -> bool {
    let revision = revision_of(definition);
    let is_short = match (definition.text("family"), revision) {
        (Some(family), Some(revision)) => text == format!("{family}:{revision}"),
        _ => false,
    };
    // A configuration puts it together of what only an apply tells.
    let open = placeholder_name(&definition.address);
    let is_open = definition
        .text("family")
        .is_some_and(|family| text == format!("{family}:${{{open}.revision}}"));
    definition.text("arn") == Some(text) || is_short || is_open
}

/// Adds what the expressions of a module in the configuration of a plan refer to, and those of the modules that it calls.
fn of_module(module: &Node<'_>, calls: &mut Vec<Step>, mentions: &mut Mentions) {
    let resources = module.get("resources").and_then(Node::elements);
    for resource in resources.unwrap_or_default() {
        let type_ = resource.get("type").and_then(Node::text);
        if !type_.is_some_and(|it| runs(it) || it == TASK_DEFINITION) {
            references(resource.get("expressions"), calls, mentions);
        }
    }
    references(module.get("outputs"), calls, mentions);
    let called = module.get("module_calls").and_then(Node::members);
    for call in called.unwrap_or_default() {
        references(call.value.get("expressions"), calls, mentions);
        if let Some(inner) = call.value.get("module").filter(|_| calls.len() < DEEPEST) {
            calls.push(Step {
                name: call.key.to_string(),
                key: None,
            });
            of_module(inner, calls, mentions);
            calls.pop();
        }
    }
}

/// Adds the references in expressions. The depth is that of the text.
fn references(node: Option<&Node<'_>>, calls: &[Step], mentions: &mut Mentions) {
    let Some(node) = node else {
        return;
    };
    for element in node.elements().unwrap_or_default() {
        if let Some([type_, name, ..]) = element.text().map(steps).as_deref()
            && type_.name == TASK_DEFINITION
        {
            mentions.add(calls, &name.name);
        }
        references(Some(element), calls, mentions);
    }
    for member in node.members().unwrap_or_default() {
        // The order of the making is no use.
        if member.key != "depends_on" {
            references(Some(&member.value), calls, mentions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        super::{syntax::parse_one, testing::expansion, values::Values},
        expand,
    };

    /// Returns the images, and the task definition that the service names, of a state or a plan with two revisions.
    fn outline(text: &str) -> String {
        let root = parse_one("state.json", text).unwrap().unwrap();
        let (documents, said) = expansion(text, &expand(&root, &Values::default()));
        let mut found = Vec::new();
        for it in &documents {
            for key in ["Family:\"", "image:\"", "TaskDefinition:\""] {
                let rest = it.split_once(key).map(|(_, rest)| rest);
                found.extend(rest.and_then(|it| it.split('"').next()).map(str::to_owned));
            }
        }
        let shared = said
            .iter()
            .filter(|it| it.reason().name() == "FamilyShared");
        let shared: Vec<String> = shared.map(ToString::to_string).collect();
        assert_eq!(shared.len(), 1, "{said:?}");
        for (said, mark) in [("which is not here", "!"), ("does not tell", "?")] {
            found.extend(shared[0].contains(said).then(|| mark.to_owned()));
        }
        found.join(" ")
    }

    fn definition(name: &str, more: &str) -> String {
        format!(
            r#"{{"address": "aws_ecs_task_definition.{name}", "mode": "managed", "type": "aws_ecs_task_definition", "name": "{name}", "values": {{"family": "shop", "container_definitions": "[{{\"name\": \"app\", \"image\": \"{name}\"}}]"{more}}}}}"#
        )
    }

    fn service(name: &str, runs: &str) -> String {
        format!(
            r#"{{"address": "aws_ecs_service.{name}", "mode": "managed", "type": "aws_ecs_service", "name": "{name}", "values": {{"name": "{name}", "task_definition": "{runs}"}}}}"#
        )
    }

    #[test]
    fn the_newest_revision_of_a_state_is_run() {
        const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/shop";
        let revision = |number: u8| {
            format!(
                r#", "revision": {number}, "arn": "{ARN}:{number}", "arn_without_revision": "{ARN}""#
            )
        };
        let (nine, ten) = (revision(9), revision(10));
        for (runs, expected) in [
            ("shop", "shop green shop"),
            (ARN, "shop green shop"),
            (&format!("{ARN}:10"), "shop green shop"),
            ("shop:9", "shop blue shop"),
            // The number is said to have no meaning.
            ("shop:12", "shop green shop:12 !"),
            (&format!("{ARN}:12"), &format!("shop green {ARN}:12 !")),
            ("other", "shop blue shop-green green other"),
        ] {
            let text = format!(
                r#"{{"format_version": "1.0", "terraform_version": "1.9.0", "values": {{"root_module": {{"resources": [{}, {}, {}]}}}}}}"#,
                definition("blue", &nine),
                definition("green", &ten),
                service("s", runs),
            );
            assert_eq!(outline(&text), expected, "{runs}");
        }
    }

    #[test]
    fn the_references_of_a_plan_tell_what_is_run() {
        for (references, expected) in [
            (
                r#"["aws_ecs_task_definition.green.family", "aws_ecs_task_definition.green"]"#,
                "shop green shop",
            ),
            (
                r#"["aws_ecs_task_definition.blue.family"]"#,
                "shop blue shop",
            ),
            (r#"["var.family"]"#, "shop blue shop ?"),
        ] {
            let text = format!(
                r#"{{"format_version": "1.2", "terraform_version": "1.9.0", "planned_values": {{"root_module": {{"resources": [{}, {}, {}]}}}}, "configuration": {{"root_module": {{"resources": [{{"type": "aws_ecs_service", "name": "s", "expressions": {{"task_definition": {{"references": {references}}}}}}}]}}}}}}"#,
                definition("blue", ""),
                definition("green", ""),
                service("s", "shop"),
            );
            assert_eq!(outline(&text), expected, "{references}");
        }
    }
}
