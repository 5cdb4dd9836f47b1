//! What containers get of the additions beside a manifest
//! (<https://aws.github.io/copilot-cli/docs/developing/addons/workload/#what-are-the-outputs-for-an-addon>). The resources
//! stay in AWS; only their outputs are read.

use super::{
    super::{
        manifest::Report,
        syntax::parse_one,
        tree::{Member, Node},
    },
    overrides::at,
    workload::Workload,
};

/// The outputs of all additions.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// The names of the variables of containers, and their placeholders.
    pub(super) variables: Vec<(String, String)>,
    /// The names of the variables of secrets, and their ARNs.
    pub(super) secrets: Vec<(String, String)>,
    /// What Copilot's template calls each output, and its value.
    pub(super) references: Vec<(String, String)>,
}

impl Outputs {
    /// Reads the additions beside a manifest, which Copilot puts together in one template.
    pub(super) fn new(workload: &Workload<'_>, report: &mut Report<'_>) -> Self {
        let mut made = Self::default();
        let mut templates = Vec::with_capacity(workload.beside.addons.len());
        for addon in &workload.beside.addons {
            match parse_one(addon.name(), addon.text()) {
                Ok(template) => templates.extend(template),
                Err(error) => report.unread(workload.span(), at(addon, &error), "correct it"),
            }
        }
        for template in &templates {
            let outputs = template.get("Outputs").and_then(Node::members);
            for output in outputs.unwrap_or_default() {
                made.add(output, &templates, workload, report);
            }
        }
        made
    }

    fn add(
        &mut self,
        output: &Member<'_>,
        templates: &[Node<'_>],
        workload: &Workload<'_>,
        report: &mut Report<'_>,
    ) {
        let (key, name) = (&*output.key, variable_of(&output.key));
        let mut known = self.variables.iter().chain(&self.secrets);
        if name.is_empty() || known.any(|(known, _)| *known == name) {
            return;
        }
        let type_ = type_of(output, templates);
        match type_ {
            // Copilot adds it to the task role, which stays in AWS as it is.
            Some("AWS::IAM::ManagedPolicy") => return,
            Some("AWS::EC2::SecurityGroup") => {
                let advice = "give it in network.vpc.security_groups with network.vpc.placement.subnets, or in a SecurityGroupPolicy";
                return report.unread(workload.span(), format!("security group {key}"), advice);
            }
            _ => {}
        }
        let placeholder = report.placeholder(&workload.placeholder(key));
        let (to, value) = match type_ {
            Some("AWS::SecretsManager::Secret") => {
                let resource = format!("secret:{placeholder}");
                (&mut self.secrets, workload.arn("secretsmanager", &resource))
            }
            _ => (&mut self.variables, placeholder),
        };
        self.references
            .push((format!("AddonsStack.Outputs.{key}"), value.clone()));
        to.push((name, value));
    }
}

/// Returns the type of the resource that an output refers to.
fn type_of<'n>(output: &Member<'_>, templates: &'n [Node<'_>]) -> Option<&'n str> {
    let id = output.value.get("Value")?.get("Ref")?.text()?;
    let mut resources = templates.iter().filter_map(|it| it.get("Resources"));
    resources.find_map(|it| it.get(id)?.get("Type")?.text())
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
