//! Recognizes the files of pipelines, which deploy to ECS and so have many names of it.

use super::super::tree::Node;

/// Whether this is a workflow or an action of GitHub
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>), a build specification of
/// `CodeBuild` (<https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html>), or a pipeline of Bitbucket
/// (<https://support.atlassian.com/bitbucket-cloud/docs/bitbucket-pipelines-configuration-reference/>) or Azure
/// (<https://learn.microsoft.com/azure/devops/pipelines/yaml-schema/>).
pub(super) fn is_pipeline(root: &Node<'_>) -> bool {
    let has = |key| root.get(key).is_some();
    let map = |key| root.get(key).is_some_and(|it| it.members().is_some());
    let list = |key| root.get(key).is_some_and(|it| it.elements().is_some());
    let is_workflow = map("jobs") && has("on");
    let is_action = root.get("runs").is_some_and(|it| it.get("using").is_some());
    let is_build = map("phases") && has("version");
    let is_of_azure =
        (has("trigger") || has("pool")) && (list("steps") || list("stages") || list("jobs"));
    is_workflow || is_action || is_build || map("pipelines") || is_of_azure
}

#[cfg(test)]
mod tests {
    use super::{super::super::syntax::parse_one, *};

    #[test]
    fn pipelines_are_known_by_their_parts() {
        for (text, expected) in [
            ("on: [push]\njobs: {deploy: {steps: []}}", true),
            ("runs: {using: composite, steps: []}", true),
            ("version: 0.2\nphases: {build: {commands: [make]}}", true),
            ("pipelines: {default: []}", true),
            ("trigger: [main]\nsteps: [{script: make}]", true),
            ("pool: {vmImage: x}\nstages: []", true),
            // A request, a template, a list.
            ("family: web\ncontainerDefinitions: []", false),
            ("version: 1\njobs: {}", false),
            ("steps: []", false),
            ("Resources: {}", false),
            ("[]", false),
        ] {
            let root = parse_one("a.yml", text).expect("it is YAML");
            let root = root.expect("it has a document");
            assert_eq!(is_pipeline(&root), expected, "{text}");
        }
    }
}
