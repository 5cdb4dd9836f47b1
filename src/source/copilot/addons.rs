//! What containers get of the additions beside a manifest
//! (<https://aws.github.io/copilot-cli/docs/developing/addons/workload/#what-are-the-outputs-for-an-addon>). The resources
//! stay in AWS; only their outputs are read.

use super::{
    super::{
        manifest::Report,
        syntax::parse_one,
        tree::{Member, Node},
    },
    workload::Workload,
};

/// The outputs of all additions: the names that they have in a container, and their placeholders.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) variables: Vec<(String, String)>,
    pub(super) secrets: Vec<(String, String)>,
}

impl Outputs {
    /// Reads the additions beside a manifest.
    pub(super) fn new(workload: &Workload<'_>, report: &mut Report<'_>) -> Self {
        let mut made = Self::default();
        for addon in &workload.beside.addons {
            let parsed = parse_one(addon.name(), addon.text());
            let Ok(Some(template)) = parsed else {
                let path = addon.name().to_owned();
                let advice = "correct it: it is neither JSON nor YAML";
                report.unread(workload.span(), path, advice);
                continue;
            };
            let outputs = template.get("Outputs").and_then(Node::members);
            for output in outputs.unwrap_or_default() {
                made.add(output, &template, workload, report);
            }
        }
        made
    }

    fn add(
        &mut self,
        output: &Member<'_>,
        template: &Node<'_>,
        workload: &Workload<'_>,
        report: &mut Report<'_>,
    ) {
        let key = &*output.key;
        let to = match type_of(output, template) {
            // Copilot adds it to the task role, which stays in AWS as it is.
            Some("AWS::IAM::ManagedPolicy") => return,
            Some("AWS::EC2::SecurityGroup") => {
                let advice = "give it in network.vpc.security_groups with network.vpc.placement.subnets, or in a SecurityGroupPolicy";
                return report.unread(workload.span(), format!("security group {key}"), advice);
            }
            Some("AWS::SecretsManager::Secret") => &mut self.secrets,
            _ => &mut self.variables,
        };
        let placeholder = report.placeholder(&workload.placeholder(key));
        to.push((variable_of(key), placeholder));
    }
}

/// Returns the type of the resource that an output refers to.
fn type_of<'n>(output: &Member<'_>, template: &'n Node<'_>) -> Option<&'n str> {
    let id = output.value.get("Value")?.get("Ref")?.text()?;
    template.get("Resources")?.get(id)?.get("Type")?.text()
}

/// Returns the name of the variable of an output: `MyDDBTable` is `MY_DDB_TABLE`.
fn variable_of(output: &str) -> String {
    let all: Vec<char> = output.chars().collect();
    let mut name = String::with_capacity(output.len() + 4);
    for (index, c) in all.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| all.get(at));
        let after = all.get(index + 1);
        let follows_word = before.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
        let begins_word = before.is_some_and(char::is_ascii_uppercase)
            && after.is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && (follows_word || begins_word) {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_after_outputs() {
        for (output, expected) in [
            ("BucketName", "BUCKET_NAME"),
            ("usersDDBTableName", "USERS_DDB_TABLE_NAME"),
            ("apiclusterSecret", "APICLUSTER_SECRET"),
            ("Db2Host", "DB2_HOST"),
            ("URL", "URL"),
            ("a", "A"),
            ("", ""),
        ] {
            assert_eq!(variable_of(output), expected);
        }
    }
}
