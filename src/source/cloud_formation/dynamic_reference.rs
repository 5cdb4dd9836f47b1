//! Dynamic references in the environment of containers, which become secrets
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>).
//!
//! CloudFormation writes the value into the task definition when it deploys. Offline, the value is not known, and a task
//! definition has a place for what is read when a task starts.

use super::{
    super::{
        manifest::{Object, list, text},
        tree::{Member, Node, Value},
        values::Values,
    },
    stack::Stack,
};
use crate::diagnostic::Message;

/// Moves the variables of a task definition that are dynamic references to its secrets.
pub(super) fn move_to_secrets(properties: &mut Node<'_>, stack: &mut Stack<'_, '_>) {
    let Value::Object(members) = &mut properties.value else {
        return;
    };
    let containers = members
        .iter_mut()
        .find(|it| it.key == "ContainerDefinitions");
    let Some(Value::List(containers)) = containers.map(|it| &mut it.value.value) else {
        return;
    };
    let mut names = Vec::new();
    for container in containers {
        let moved = taken(container, stack.values, &mut names);
        if !moved.is_empty() {
            add(container, moved);
        }
    }
    if !names.is_empty() {
        let names = names.join(", ");
        stack.say(
            properties.span,
            Message::DynamicReferencesAsSecrets { names },
        );
    }
}

/// Takes the variables that are dynamic references out of a container, as secrets. Adds their names to `names`.
fn taken<'a>(container: &mut Node<'a>, values: &Values, names: &mut Vec<String>) -> Vec<Node<'a>> {
    let Value::Object(members) = &mut container.value else {
        return Vec::new();
    };
    let variables = members.iter_mut().find(|it| it.key == "Environment");
    let Some(Value::List(variables)) = variables.map(|it| &mut it.value.value) else {
        return Vec::new();
    };
    let mut moved = Vec::new();
    variables.retain(|variable| {
        let value = variable.get("Value").and_then(Node::text);
        let reference = value.and_then(|text| value_from(text, values));
        let (Some(reference), Some(name)) = (reference, variable.get("Name")) else {
            return true;
        };
        names.extend(name.text().map(str::to_owned));
        let mut secret = Object::new(variable.span);
        secret.put("Name", name.clone());
        secret.put("ValueFrom", text(variable.span, reference));
        moved.push(secret.node());
        false
    });
    moved
}

/// Adds secrets to a container.
fn add<'a>(container: &mut Node<'a>, moved: Vec<Node<'a>>) {
    let span = container.span;
    let Value::Object(members) = &mut container.value else {
        return;
    };
    let secrets = members.iter_mut().find(|it| it.key == "Secrets");
    match secrets.map(|it| &mut it.value.value) {
        Some(Value::List(secrets)) => secrets.extend(moved),
        Some(other) => *other = Value::List(moved),
        None => members.push(Member {
            key: "Secrets".into(),
            key_span: span,
            value: list(span, moved),
        }),
    }
}

/// Returns the `ValueFrom` of a text that is one dynamic reference.
fn value_from(text: &str, values: &Values) -> Option<String> {
    let inner = text.trim().strip_prefix("{{resolve:")?.strip_suffix("}}")?;
    if inner.contains("{{") {
        return None;
    }
    let arn = |service: &str, resource: &str| {
        format!(
            "arn:{}:{service}:{}:{}:{resource}",
            values.partition(),
            values.region(),
            values.account_id()
        )
    };
    let (service, rest) = inner.split_once(':')?;
    match service {
        "ssm" | "ssm-secure" => {
            let slash = if rest.starts_with('/') { "" } else { "/" };
            let named = (!rest.is_empty()).then(|| format!("parameter{slash}{rest}"))?;
            // The version follows the name in AWS's API too
            // (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html>).
            Some(arn("ssm", &named))
        }
        "secretsmanager" => {
            let (secret, options) = secret_and_options(rest)?;
            let secret = if secret.starts_with("arn:") {
                secret.to_owned()
            } else {
                arn("secretsmanager", &format!("secret:{secret}"))
            };
            // SecretString, which is the only choice, the key, the stage and the ID of a version; each may be missing.
            let mut options = options.split(':').skip(1);
            let [key, stage, version] = [(); 3].map(|()| options.next().unwrap_or_default());
            if [key, stage, version].iter().all(|it| it.is_empty()) {
                return Some(secret);
            }
            Some(format!("{secret}:{key}:{stage}:{version}"))
        }
        _ => None,
    }
}

/// Splits the secret of a reference, which may be an ARN, from what follows.
fn secret_and_options(text: &str) -> Option<(&str, &str)> {
    // The seventh colon of an ARN is the first one after the name.
    let colons = if text.starts_with("arn:") { 6 } else { 0 };
    let end = text.match_indices(':').nth(colons);
    let (secret, options) = match end {
        Some((at, _)) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, ""),
    };
    (!secret.is_empty()).then_some((secret, options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_the_place_of_a_secret() {
        let values = Values {
            region: Some("eu-west-1".to_owned()),
            account_id: Some("111122223333".to_owned()),
            ..Values::default()
        };
        let table = [
            ("plain", None),
            ("x {{resolve:ssm:/a}}", None),
            ("{{resolve:other:/a}}", None),
            (
                "{{resolve:ssm:/shop/url:3}}",
                Some("arn:aws:ssm:eu-west-1:111122223333:parameter/shop/url:3"),
            ),
            (
                "{{resolve:ssm-secure:key}}",
                Some("arn:aws:ssm:eu-west-1:111122223333:parameter/key"),
            ),
            (
                "{{resolve:secretsmanager:db}}",
                Some("arn:aws:secretsmanager:eu-west-1:111122223333:secret:db"),
            ),
            (
                "{{resolve:secretsmanager:db:SecretString:password}}",
                Some("arn:aws:secretsmanager:eu-west-1:111122223333:secret:db:password::"),
            ),
            (
                "{{resolve:secretsmanager:prod/db::password}}",
                Some("arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db:password::"),
            ),
            (
                "{{resolve:secretsmanager:arn:aws:secretsmanager:eu-west-1:1:secret:${Db}:SecretString:password}}",
                Some("arn:aws:secretsmanager:eu-west-1:1:secret:${Db}:password::"),
            ),
            (
                "{{resolve:secretsmanager:arn:aws:secretsmanager:us-east-1:1:secret:db-Ab12Cd:SecretString:password:AWSPREVIOUS}}",
                Some("arn:aws:secretsmanager:us-east-1:1:secret:db-Ab12Cd:password:AWSPREVIOUS:"),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(value_from(text, &values).as_deref(), expected, "{text}");
        }
    }
}
