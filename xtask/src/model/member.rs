//! The members of each request: what the AWS model says about them, joined with the rows that are written by hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Result;

/// Everything that the table says.
pub(super) struct Model {
    /// In the order of the AWS models.
    pub(super) requests: Vec<Request>,
    pub(super) examples: Vec<Example>,
}

/// A request with all its members, each before those below it.
pub(super) struct Request {
    /// The operation, such as `CreateService`.
    pub(super) name: String,
    pub(super) members: Vec<Member>,
}

/// A member at one path of a request.
#[derive(Clone)]
pub(super) struct Member {
    /// Without the `[]` of a list of plain values.
    pub(super) path: String,
    /// The structure that has it, as AWS's documentation names it.
    pub(super) structure: String,
    pub(super) shape: Shape,
    pub(super) required: bool,
    /// Whether AWS does not have it.
    pub(super) extension: bool,
    pub(super) row: Row,
}

impl Member {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// The path of the value: that of the elements for a list of plain values.
    pub(super) fn leaf_path(&self) -> String {
        match self.shape {
            Shape::Plain { list: true, .. } => format!("{}[]", self.path),
            _ => self.path.clone(),
        }
    }
}

/// What a member holds.
#[derive(Clone, PartialEq)]
pub(super) enum Shape {
    /// A value of this type, or a list of such values.
    Plain { kind: String, list: bool },
    /// A structure of this name, or a list of such structures.
    Structure { name: String, list: bool },
}

/// What is written by hand about a member. Limits that are absent are those of the AWS model.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) is: String,
    pub(super) unit: Option<String>,
    pub(super) default: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) becomes: String,
    pub(super) rule: String,
    pub(super) reasons: Vec<String>,
    /// The reason of a finding that each document with this member gets.
    pub(super) always: Option<String>,
    /// What does not happen unless the operator is running.
    pub(super) needs_controller: Option<String>,
    pub(super) required: Option<bool>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) max_length: Option<usize>,
    pub(super) max_items: Option<usize>,
    pub(super) characters: Option<Characters>,
    pub(super) values: Option<Vec<String>>,
    /// The reason of the rule that checks the range, in place of the reader.
    pub(super) checked_by: Option<String>,
    /// The type of an extension, as in `aws.tsv`; `[]` in front of a list's.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Characters {
    /// Letters, digits and these.
    Letters(String),
    /// Lowercase letters, digits and these.
    Lower(String),
}

/// A request, and parts of the objects that it becomes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    #[serde(skip)]
    pub(super) operation: String,
    pub(super) about: Vec<String>,
    pub(super) request: String,
    pub(super) becomes: String,
}

/// A file of rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    request: String,
    fields: Map<String, Value>,
    #[serde(default)]
    examples: Vec<Example>,
}

/// Reads the lines of `aws.tsv` and the files of the folder `rows`.
///
/// # Errors
///
/// Returns an error that names each member without a row, each row without a member, and what cannot be read.
pub(super) fn read(aws: &str, rows: &Path) -> Result<Model> {
    let mut requests = of_aws(aws)?;
    let mut written: BTreeMap<(String, String), Row> = BTreeMap::new();
    let mut examples = Vec::new();
    for path in files(rows)? {
        let named = |error: String| format!("{}: {error}", path.display());
        let file: File = serde_saphyr::from_str(&fs::read_to_string(&path)?)
            .map_err(|error| named(error.to_string()))?;
        for (field, row) in file.fields {
            let row: Row =
                serde_json::from_value(row).map_err(|error| named(format!("{field}: {error}")))?;
            if row.kind.is_some() {
                add_extension(&mut requests, &file.request, &field, &row)?;
            }
            let key = (file.request.clone(), field);
            if written.contains_key(&key) {
                return Err(named(format!("{} has two rows", key.1)).into());
            }
            written.insert(key, row);
        }
        examples.extend(file.examples.into_iter().map(|example| Example {
            operation: file.request.clone(),
            ..example
        }));
    }
    join(&mut requests, written)?;
    Ok(Model { requests, examples })
}

/// The files of a folder in the order of their names.
fn files(folder: &Path) -> Result<BTreeSet<std::path::PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        files.insert(entry?.path());
    }
    Ok(files)
}

/// `UpdateService` is read as the service that it changes, `PutTargets` as the rule whose targets it sets.
fn merged(operation: &str) -> &str {
    match operation {
        "UpdateService" => "CreateService",
        "PutTargets" => "PutRule",
        other => other,
    }
}

fn of_aws(text: &str) -> Result<Vec<Request>> {
    let mut requests: Vec<Request> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .peekable();
    while let Some(line) = lines.next() {
        let cells: Vec<&str> = line.split('\t').collect();
        let [operation, path, structure, kind, required, min, max, values] = cells[..] else {
            return Err(format!("not eight cells: {line}").into());
        };
        let request = merged(operation);
        if requests.last().is_none_or(|last| last.name != request) {
            requests.push(Request {
                name: request.to_owned(),
                members: Vec::new(),
            });
        }
        let known = !seen.insert((request, path));
        let element_of = |path: &str| format!("{path}[]");
        if structure.is_empty() || known {
            continue;
        }
        let mut row = Row {
            max_items: (kind == "List").then(|| max.parse().ok()).flatten(),
            ..Row::default()
        };
        let (list, kind, min, max, values) = match lines.peek() {
            Some(next) if kind == "List" => {
                let cells: Vec<&str> = next.split('\t').collect();
                let [_, element, _, kind, _, min, max, values] = cells[..] else {
                    return Err(format!("not eight cells: {next}").into());
                };
                if element != element_of(path) {
                    return Err(format!("{path} has no elements").into());
                }
                (true, kind, min, max, values)
            }
            _ => (false, kind, min, max, values),
        };
        if matches!(kind, "Integer" | "Number") {
            row.min = min.parse().ok();
            row.max = max.parse().ok();
        }
        let values = values.split(',').filter(|value| !value.is_empty());
        row.values = Some(values.map(str::to_owned).collect());
        let member = Member {
            path: path.to_owned(),
            structure: structure.to_owned(),
            shape: shape(kind, list),
            // A target of PutTargets has to be whole, but a rule may be without targets and the name beside them.
            required: required == "required"
                && (operation == request || operation == "PutTargets" && path.contains('.')),
            extension: false,
            row,
        };
        if let Some(request) = requests.last_mut() {
            request.members.push(member);
        }
    }
    Ok(requests)
}

fn shape(kind: &str, list: bool) -> Shape {
    match kind.strip_prefix("Object ") {
        Some(name) => Shape::Structure {
            name: name.to_owned(),
            list,
        },
        None => Shape::Plain {
            kind: kind.to_owned(),
            list,
        },
    }
}

/// Adds a member that AWS does not have. Its row names its type; those around it are above it in the file.
fn add_extension(requests: &mut Vec<Request>, request: &str, path: &str, row: &Row) -> Result<()> {
    if !requests.iter().any(|it| it.name == request) {
        requests.push(Request {
            name: request.to_owned(),
            members: Vec::new(),
        });
    }
    let Some(request) = requests.iter_mut().find(|it| it.name == request) else {
        return Ok(());
    };
    if request.members.iter().any(|it| it.path == path) {
        return Err(format!("{path}: AWS has this member, and gives its type").into());
    }
    let structure = match path.rsplit_once('.') {
        None => request.name.clone(),
        Some((above, _)) => {
            let above = above.trim_end_matches("[]");
            let found = request.members.iter().find(|it| it.path == above);
            match found.map(|it| &it.shape) {
                Some(Shape::Structure { name, .. }) => name.clone(),
                _ => return Err(format!("{path}: there is no structure {above} above it").into()),
            }
        }
    };
    let kind = row.kind.as_deref().unwrap_or_default();
    let (list, kind) = match kind.strip_prefix("[]") {
        Some(kind) => (true, kind),
        None => (false, kind),
    };
    request.members.push(Member {
        path: path.to_owned(),
        structure,
        shape: shape(kind, list),
        required: false,
        extension: true,
        row: Row::default(),
    });
    Ok(())
}

/// Gives each member its row. One without a row has that of the same structure at an earlier path.
fn join(requests: &mut [Request], mut written: BTreeMap<(String, String), Row>) -> Result<()> {
    let mut wrong = Vec::new();
    let mut first: BTreeMap<(String, String), Row> = BTreeMap::new();
    for request in requests {
        for member in &mut request.members {
            let own = written.remove(&(request.name.clone(), member.path.clone()));
            let key = (member.structure.clone(), member.name().to_owned());
            let row = match (own, first.get(&key)) {
                (Some(own), Some(first)) => described_by(own, first),
                (Some(own), None) => own,
                (None, Some(first)) => first.clone(),
                (None, None) => {
                    wrong.push(format!("{} {}: no row", request.name, member.path));
                    continue;
                }
            };
            let plain = matches!(member.shape, Shape::Plain { .. });
            if plain != row.outcome.is_some() {
                let has = if plain { "no" } else { "an" };
                wrong.push(format!("{} {}: {has} outcome", request.name, member.path));
            }
            if !plain && is_about_a_value(&row) {
                let text =
                    "only a value has a unit, a default, a range, a rule, reasons or a result";
                wrong.push(format!("{} {}: {text}", request.name, member.path));
            }
            if row.is.is_empty() {
                wrong.push(format!("{} {}: `is` is missing", request.name, member.path));
            }
            first.entry(key).or_insert_with(|| row.clone());
            member.required = row.required.unwrap_or(member.required);
            member.row = limited_by(row, &member.row);
            if let Some(limit) = limit_without_use(&member.shape, &member.row) {
                wrong.push(format!("{} {}: {limit}", request.name, member.path));
            }
        }
    }
    for (request, path) in written.into_keys() {
        wrong.push(format!(
            "{request} {path}: AWS has no such member, and it has no `type`"
        ));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n").into())
    }
}

/// Whether a row has parts that the table has no place for at a structure.
fn is_about_a_value(row: &Row) -> bool {
    let has_text = !row.becomes.is_empty() || !row.rule.is_empty() || !row.reasons.is_empty();
    let has_range = row.min.is_some() || row.max.is_some() || row.max_length.is_some();
    let has_form = row.characters.is_some() || row.values.is_some() || row.checked_by.is_some();
    has_text || has_range || has_form || row.unit.is_some() || row.default.is_some()
}

/// The limit that a value of this kind cannot have: the table would have it and nothing would check it.
fn limit_without_use(shape: &Shape, row: &Row) -> Option<&'static str> {
    let Shape::Plain { kind, list } = shape else {
        return None;
    };
    let has_range = row.min.is_some() || row.max.is_some();
    let is_number = matches!(kind.as_str(), "Integer" | "Number");
    let is_text = kind == "String";
    let has_values = row.values.as_ref().is_some_and(|values| !values.is_empty());
    let wrong = [
        (has_range && !is_number, "only a number has a range"),
        (
            row.checked_by.is_some() && !has_range,
            "`checkedBy` without a range",
        ),
        (
            row.max_length.is_some() && !is_text,
            "only a text has a length",
        ),
        (
            row.characters.is_some() && !is_text,
            "only a text has characters",
        ),
        (has_values && !is_text, "only a text has values"),
        (
            row.max_items.is_some() && !list,
            "only a list has a number of items",
        ),
    ];
    let mut wrong = wrong.into_iter().filter(|(is_wrong, _)| *is_wrong);
    wrong.next().map(|(_, text)| text)
}

/// `own` with the words and limits of `first`, where it has none.
fn described_by(own: Row, first: &Row) -> Row {
    let mut row = limited_by(own, first);
    if row.is.is_empty() {
        row.is.clone_from(&first.is);
    }
    row.unit = row.unit.or_else(|| first.unit.clone());
    row.default = row.default.or_else(|| first.default.clone());
    row.required = row.required.or(first.required);
    row.checked_by = row.checked_by.or_else(|| first.checked_by.clone());
    row
}

/// `own` with the limits of `other`, where it has none.
fn limited_by(own: Row, other: &Row) -> Row {
    Row {
        min: own.min.or(other.min),
        max: own.max.or(other.max),
        max_length: own.max_length.or(other.max_length),
        max_items: own.max_items.or(other.max_items),
        characters: own.characters.clone().or_else(|| other.characters.clone()),
        values: own.values.clone().or_else(|| other.values.clone()),
        ..own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_has_no_parts_of_a_value() {
        for (row, expected) in [
            (
                Row {
                    rule: "more than 3".to_owned(),
                    ..Row::default()
                },
                true,
            ),
            (
                Row {
                    checked_by: Some("InvalidValue".to_owned()),
                    ..Row::default()
                },
                true,
            ),
            (
                Row {
                    is: "A list.".to_owned(),
                    max_items: Some(1),
                    ..Row::default()
                },
                false,
            ),
        ] {
            let mut requests = vec![Request {
                name: "RunTask".to_owned(),
                members: vec![Member {
                    path: "overrides".to_owned(),
                    structure: "RunTask".to_owned(),
                    shape: shape("Object TaskOverride", false),
                    required: false,
                    extension: false,
                    row: Row::default(),
                }],
            }];
            let row = Row {
                is: "Overrides.".to_owned(),
                ..row
            };
            let key = ("RunTask".to_owned(), "overrides".to_owned());
            let joined = join(&mut requests, BTreeMap::from([(key, row)]));
            assert_eq!(joined.is_err(), expected);
        }
    }

    #[test]
    fn a_value_has_only_the_limits_of_its_kind() {
        let range = Row {
            min: Some(1.0),
            ..Row::default()
        };
        let checked = Row {
            checked_by: Some("CapacityOrder".to_owned()),
            ..Row::default()
        };
        let both = Row {
            min: Some(1.0),
            ..checked.clone()
        };
        let named = Row {
            values: Some(vec!["awsvpc".to_owned()]),
            max_length: Some(9),
            ..Row::default()
        };
        let number = shape("Integer", false);
        let text = shape("String", true);
        let is_wrong = |shape: &Shape, row: &Row| limit_without_use(shape, row).is_some();
        assert!(!is_wrong(&number, &range) && is_wrong(&text, &range));
        assert!(!is_wrong(&number, &both) && is_wrong(&number, &checked));
        assert!(!is_wrong(&text, &named) && is_wrong(&number, &named));
    }

    #[test]
    fn an_extension_is_no_member_of_aws() {
        let row = Row {
            kind: Some("String".to_owned()),
            ..Row::default()
        };
        let mut requests = Vec::new();
        assert!(add_extension(&mut requests, "RunTask", "expose", &row).is_ok());
        assert!(add_extension(&mut requests, "RunTask", "expose", &row).is_err());
    }
}
