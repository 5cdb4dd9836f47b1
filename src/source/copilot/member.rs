//! Members that manifests write in several ways.

use super::{
    super::{
        manifest::{Object, Report, Section, list, seconds, text, words},
        tree::{Member, Node},
    },
    workload::Workload,
};

/// What is needed for a value that another stack exports.
pub(super) const EXPORT: &str = "from_cfn";

/// Takes a command that is a text or a list.
pub(super) fn command<'a>(section: &mut Section<'a>, key: &str) -> Option<Node<'a>> {
    let node = section.take_if(key, |node| words(node.clone()).is_some())?;
    words(node)
}

/// Returns the placeholder of what `{from_cfn: NAME}` names.
pub(super) fn export<'a>(node: &Node<'a>, report: &mut Report<'_>) -> Option<Node<'a>> {
    let name = node.get(EXPORT)?;
    Some(report.open(name.span, name.scalar()?))
}

/// Takes a map as the list that the API has: of `name` and what `value_of` returns under `key`. A member of which it
/// returns nothing stays, and is named.
pub(super) fn named<'a>(
    section: &mut Section<'a>,
    of: &str,
    key: &'static str,
    report: &mut Report<'_>,
    mut value_of: impl FnMut(&Member<'a>, &mut Report<'_>) -> Option<Node<'a>>,
) -> Vec<Node<'a>> {
    let Some(mut map) = section.section(of) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for member in map.take_all() {
        match value_of(&member, report) {
            Some(value) => {
                let mut pair = Object::new(member.value.span);
                pair.put("name", text(member.key_span, member.key));
                pair.put(key, value);
                found.push(pair.node());
            }
            None => report.unread(
                member.key_span,
                map.path(&member.key),
                "write a text, or what Copilot's documentation allows here",
            ),
        }
    }
    found
}

/// Returns where a secret is: a parameter of SSM by its name, a secret of Secrets Manager, or an ARN
/// (<https://aws.github.io/copilot-cli/docs/developing/secrets/>).
pub(super) fn secret<'a>(
    workload: &Workload<'a>,
    node: &Node<'a>,
    report: &mut Report<'_>,
) -> Option<Node<'a>> {
    if let Some(name) = node.get("secretsmanager") {
        let resource = format!("secret:{}", name.scalar()?);
        return Some(text(name.span, workload.arn("secretsmanager", &resource)));
    }
    if let Some(exported) = export(node, report) {
        return Some(exported);
    }
    Some(text(node.span, node.scalar()?.to_owned()))
}

/// Returns a length of time in seconds; what is not one is returned as it is, so that its place is rejected.
pub(super) fn duration(node: Node<'_>) -> Node<'_> {
    match node.scalar().and_then(seconds) {
        Some(seconds) => super::super::manifest::number(node.span, seconds),
        None => node,
    }
}

/// Takes a list of texts, or one text.
pub(super) fn texts<'a>(section: &mut Section<'a>, key: &str) -> Option<Vec<Node<'a>>> {
    if let Some(elements) = section.elements(key) {
        return Some(elements);
    }
    Some(vec![section.text(key)?])
}

/// Returns a list of texts.
pub(super) fn text_list<'a>(node: &Node<'a>, texts: &[&'static str]) -> Node<'a> {
    let texts = texts.iter().map(|it| text(node.span, *it));
    list(node.span, texts.collect())
}
