//! Recognizes what the CDK writes beside its templates, which has the properties of all resources once more.

use super::super::tree::Node;

/// Whether this is the tree of constructs or the manifest of a cloud assembly
/// (<https://docs.aws.amazon.com/cdk/v2/guide/deploy.html#deploy-how-synth-cloud-assembly>).
pub(super) fn is_assembly(root: &Node<'_>) -> bool {
    let map = |key| root.get(key).is_some_and(|it| it.members().is_some());
    let version = root.get("version").and_then(Node::text);
    version.is_some_and(|it| it.starts_with("tree-")) && map("tree")
        || version.is_some() && map("artifacts")
}

#[cfg(test)]
mod tests {
    use super::{super::super::syntax::parse_one, *};

    #[test]
    fn assemblies_are_known_by_their_parts() {
        for (text, expected) in [
            (r#"{"version": "tree-0.1", "tree": {"id": "App"}}"#, true),
            (r#"{"version": "48.0.0", "artifacts": {}}"#, true),
            (r#"{"version": "1", "tree": {}}"#, false),
            (r#"{"version": "tree-0.1", "tree": []}"#, false),
            (r#"{"artifacts": {}}"#, false),
            (r#"{"version": 0.2, "artifacts": {"files": []}}"#, false),
            ("[]", false),
        ] {
            let root = parse_one("a.json", text).expect("it is JSON");
            let root = root.expect("it has a document");
            assert_eq!(is_assembly(&root), expected, "{text}");
        }
    }
}
