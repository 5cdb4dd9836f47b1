//! Finds members by their API name, in whichever spelling the document uses.

use super::{
    kind::Spelling,
    tree::{Member, Node},
};

/// CloudFormation's properties that differ from the API not only in case.
const CLOUD_FORMATION: &[(&str, &str)] = &[
    ("PlacementStrategies", "placementStrategy"),
    ("ProxyConfigurationProperties", "properties"),
];

/// Members of `UpdateService` and of outputs that have another name in `CreateService`.
const ALIASES: &[(&str, &str)] = &[("clusterArn", "cluster"), ("service", "serviceName")];

/// Returns the API's name for a CloudFormation property, if they differ not only in case.
pub(super) fn renamed(property: &str) -> Option<&'static str> {
    CLOUD_FORMATION
        .iter()
        .find(|(theirs, _)| *theirs == property)
        .map(|(_, ours)| *ours)
}

/// Returns the request's name for a member of an update or an output.
pub(super) fn alias(member: &str) -> Option<&'static str> {
    ALIASES
        .iter()
        .find(|(theirs, _)| *theirs == member)
        .map(|(_, ours)| *ours)
}

/// Returns the value of the member with the API name `key`, and of no other name for it.
pub(super) fn value_of<'n, 'a>(
    node: &'n Node<'a>,
    key: &str,
    spelling: Spelling,
) -> Option<&'n Node<'a>> {
    let mut members = node.members()?.iter();
    let found = members.find(|member| match spelling {
        Spelling::Api => member.key == key,
        Spelling::CloudFormation => member.key.eq_ignore_ascii_case(key),
    });
    found.map(|member| &member.value)
}

/// Finds the member with the API name `name`.
pub(super) fn find<'n, 'a>(
    node: &'n Node<'a>,
    name: &str,
    spelling: Spelling,
) -> Option<&'n Member<'a>> {
    let members = node.members()?;
    let exact = members.iter().find(|member| member.key == name);
    exact.or_else(|| match spelling {
        Spelling::Api => members
            .iter()
            .find(|member| alias(&member.key) == Some(name)),
        Spelling::CloudFormation => members.iter().find(|member| {
            member.key.eq_ignore_ascii_case(name) || renamed(&member.key) == Some(name)
        }),
    })
}
