//! The values that the command line gives for what templates leave open.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{Error, arguments::ConvertOptions};
use crate::{
    settings::Settings,
    source::{Node, SourceText, Values, read_tree, read_variables},
};

impl ConvertOptions {
    /// Returns the values of `--set`, of parameters, and of what the settings say about the account.
    ///
    /// # Errors
    ///
    /// When a file of parameters cannot be read, or is not one.
    pub(super) fn values(&self, settings: &Settings) -> Result<Values, Error> {
        let mut parameters = BTreeMap::new();
        for path in &self.input.parameters_files {
            read(path, &mut parameters)?;
        }
        // What is given on its own wins, as for the AWS CLI.
        parameters.extend(self.input.parameters.iter().cloned());
        Ok(Values {
            fill: self.input.fill.iter().cloned().collect(),
            parameters,
            stack_name: self.input.stack_name.clone(),
            environment: self.input.environment.clone(),
            images: self.input.images.iter().cloned().collect(),
            region: settings.aws_region.clone(),
            account_id: settings.aws_account_id.clone(),
            partition: Some(settings.aws_partition.clone()),
            ..Values::default()
        })
    }
}

/// Adds the parameters in a file to others.
fn read(path: &PathBuf, parameters: &mut BTreeMap<String, String>) -> Result<(), Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })?;
    let failed = |why: &str| Error::ParametersFile {
        path: path.clone(),
        why: why.to_owned(),
    };
    let source = SourceText::new(path.display().to_string(), &text);
    if path.extension().is_some_and(|it| it == "tfvars") {
        let found = read_variables(&source).map_err(|(_, message)| failed(&message))?;
        parameters.extend(found);
        return Ok(());
    }
    let tree = read_tree(&source).map_err(|(_, message)| failed(&message))?;
    let tree = tree.ok_or_else(|| failed("it is empty"))?;
    if source.name().ends_with(".tfvars.json") {
        let found = variables(&tree, &source);
        parameters.extend(found.ok_or_else(|| failed("expected an object of variables"))?);
        return Ok(());
    }
    let found = all(&tree).ok_or_else(|| {
        failed("expected [{\"ParameterKey\": ..., \"ParameterValue\": ...}], [\"NAME=VALUE\"] or {\"Parameters\": {...}}")
    })?;
    parameters.extend(found);
    Ok(())
}

/// Returns the values of variables in a file of Terraform in JSON: a text as it is, and others as they are written
/// (<https://developer.hashicorp.com/terraform/language/values/variables#variable-definitions-tfvars-files>).
fn variables(tree: &Node<'_>, source: &SourceText) -> Option<Vec<(String, String)>> {
    let variables = tree.members()?.iter();
    let variables = variables.map(|it| {
        let written = || source.slice(it.value.span).to_owned();
        let value = it.value.text().map_or_else(written, str::to_owned);
        (it.key.to_string(), value)
    });
    Some(variables.collect())
}

/// Returns the parameters in a tree, as `create-stack`, `deploy` and CodePipeline take them
/// (<https://docs.aws.amazon.com/cli/latest/reference/cloudformation/deploy/index.html>).
fn all(tree: &Node<'_>) -> Option<Vec<(String, String)>> {
    if let Some(elements) = tree.elements() {
        return elements.iter().map(one).collect();
    }
    let parameters = tree.get("Parameters").unwrap_or(tree).members()?;
    let each = |(name, value): (&str, &Node<'_>)| Some((name.to_owned(), value_of(value)?));
    let pairs = parameters.iter().map(|it| (&*it.key, &it.value));
    pairs.map(each).collect()
}

fn one(element: &Node<'_>) -> Option<(String, String)> {
    if let Some(text) = element.text() {
        let (name, value) = text.split_once('=')?;
        return Some((name.to_owned(), value.to_owned()));
    }
    let name = element.get("ParameterKey")?.text()?.to_owned();
    Some((name, value_of(element.get("ParameterValue")?)?))
}

/// Returns the value of a parameter; a list is written with commas.
fn value_of(node: &Node<'_>) -> Option<String> {
    match node.elements() {
        Some(elements) => {
            let texts: Option<Vec<String>> = elements.iter().map(value_of).collect();
            Some(texts?.join(","))
        }
        None => node.scalar().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &str) -> Option<String> {
        let source = SourceText::new("parameters.json", text);
        let tree = read_tree(&source).unwrap().unwrap();
        let found = all(&tree)?;
        let found = found.iter().map(|(name, value)| format!("{name}={value}"));
        Some(found.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn variables_of_terraform_are_read_as_they_are_written() {
        let text = r#"{"image": "a:1", "n": 2, "o": {"a": ["x", null]}}"#;
        let source = SourceText::new("prod.tfvars.json", text);
        let tree = read_tree(&source).unwrap().unwrap();
        let found = variables(&tree, &source).unwrap();
        let found = found.iter().map(|(name, value)| format!("{name}={value}"));
        assert_eq!(
            found.collect::<Vec<_>>().join(" "),
            r#"image=a:1 n=2 o={"a": ["x", null]}"#
        );
    }

    #[test]
    fn every_form_of_the_aws_cli_is_read() {
        let table = [
            (
                r#"[{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "ParameterValue": "x,y"}]"#,
                Some("A=1 B=x,y"),
            ),
            (r#"["A=1", "B=c=d"]"#, Some("A=1 B=c=d")),
            (
                r#"{"Parameters": {"A": 1, "B": ["x", "y"]}}"#,
                Some("A=1 B=x,y"),
            ),
            (r#"{"A": true}"#, Some("A=true")),
            (r#"[{"ParameterKey": "A", "UsePreviousValue": true}]"#, None),
            ("[1]", None),
        ];
        for (text, expected) in table {
            assert_eq!(parameters(text).as_deref(), expected, "{text}");
        }
    }
}
