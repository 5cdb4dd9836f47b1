//! The environment variables of a container.

use std::collections::BTreeSet;

use super::{
    super::{
        manifest::{Object, Report, Section, text},
        tree::Node,
    },
    pairs::pairs,
};

/// Takes the variables. One without a value has that of the shell that runs Compose.
pub(super) fn environment<'a>(section: &mut Section<'a>, report: &mut Report<'_>) -> Vec<Node<'a>> {
    let mut made = Vec::new();
    let mut pairs = pairs(section, "environment", &['=']);
    // Of one name, Compose takes the last value.
    let mut known = BTreeSet::new();
    pairs.reverse();
    pairs.retain(|pair| known.insert(pair.name.to_string()));
    pairs.reverse();
    for pair in pairs {
        let value = pair.value;
        let value = value.unwrap_or_else(|| report.open(pair.span, &pair.name));
        let mut one = Object::new(pair.span);
        one.put("name", text(pair.span, pair.name));
        one.put("value", value);
        made.push(one.node());
    }
    section.unread(
        &["env_file"],
        "write the variables of the file into environment",
        report,
    );
    made
}
