//! `cargo xtask model`: writes the list of all fields of the AWS API models.
//!
//! The models are included in botocore, the AWS library for Python, as one compressed JSON file per service. Only
//! names, types and limits are used, not the documentation.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, File},
    path::Path,
};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::{Result, run::root};

/// The service, the version of its API, and the operations whose requests are read.
const MODELS: &[(&str, &str, &[&str])] = &[
    (
        "ecs",
        "2014-11-13",
        &[
            "RegisterTaskDefinition",
            "CreateService",
            "UpdateService",
            "RunTask",
            "CreateCluster",
        ],
    ),
    (
        "application-autoscaling",
        "2016-02-06",
        &[
            "RegisterScalableTarget",
            "PutScalingPolicy",
            "PutScheduledAction",
        ],
    ),
];

/// Writes `tests/data/aws-model-fields.tsv`.
///
/// # Errors
///
/// Returns an error if a model cannot be read or is not as expected.
pub fn run(args: &[String]) -> Result<()> {
    let [folder, version] = args else {
        return Err(
            "usage: cargo xtask model PATH VERSION, such as site-packages/botocore/data 1.44.5"
                .into(),
        );
    };
    let versions: Vec<String> = MODELS
        .iter()
        .map(|(service, version, _)| format!("{service} {version}"))
        .collect();
    let mut text = format!(
        "# botocore {version}: {}\n# operation\tpath\ttype\trequired\tmin\tmax\tvalues\n",
        versions.join(", ")
    );
    for (service, version, operations) in MODELS {
        let path = Path::new(folder)
            .join(service)
            .join(version)
            .join("service-2.json.gz");
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let model: Value = serde_json::from_reader(GzDecoder::new(file))?;
        for operation in *operations {
            let input = &model["operations"][operation]["input"]["shape"];
            let mut walk = Walk {
                shapes: &model["shapes"],
                operation,
                open: BTreeSet::new(),
                text: &mut text,
            };
            walk.shape(
                input.as_str().ok_or("an operation without input")?,
                "",
                false,
            )?;
        }
    }
    let path = root().join("tests/data/aws-model-fields.tsv");
    fs::write(&path, text)?;
    println!("{}", path.display());
    Ok(())
}

/// The path from a request to its leaves.
struct Walk<'a> {
    shapes: &'a Value,
    operation: &'a str,
    /// The shapes on this path: a shape that contains itself would never end.
    open: BTreeSet<String>,
    text: &'a mut String,
}

impl Walk<'_> {
    fn shape(&mut self, name: &str, path: &str, required: bool) -> Result<()> {
        let shape = &self.shapes[name];
        let kind = match shape["type"].as_str() {
            Some("structure") if shape["document"] == true => "Document",
            Some("structure") if !self.open.insert(name.to_owned()) => {
                // This is the case for metric math: a shape that contains itself is listed once.
                return Ok(());
            }
            Some("structure") => "Object",
            Some("list") => "List",
            Some("string") => "String",
            Some("integer" | "long") => "Integer",
            Some("double" | "float") => "Number",
            Some("boolean") => "Boolean",
            Some("timestamp") => "Timestamp",
            Some("map") => "StringMap",
            other => return Err(format!("{path}: shape {name} has the type {other:?}").into()),
        };
        if !path.is_empty() {
            self.line(path, kind, required, shape)?;
        }
        match kind {
            "Object" => {
                self.members(shape, path)?;
                self.open.remove(name);
            }
            "List" => {
                let element = member_shape(&shape["member"])?;
                self.shape(element, &format!("{path}[]"), false)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn line(&mut self, path: &str, kind: &str, required: bool, shape: &Value) -> Result<()> {
        let number = |name: &str| {
            shape[name]
                .as_number()
                .map_or_else(String::new, ToString::to_string)
        };
        let values: Vec<&str> = shape["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        writeln!(
            self.text,
            "{}\t{path}\t{kind}\t{}\t{}\t{}\t{}",
            self.operation,
            if required { "required" } else { "" },
            number("min"),
            number("max"),
            values.join(",")
        )?;
        Ok(())
    }

    fn members(&mut self, shape: &Value, path: &str) -> Result<()> {
        let required: Vec<&str> = shape["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (member, reference) in shape["members"].as_object().into_iter().flatten() {
            let path = if path.is_empty() {
                member.clone()
            } else {
                format!("{path}.{member}")
            };
            self.shape(
                member_shape(reference)?,
                &path,
                required.contains(&member.as_str()),
            )?;
        }
        Ok(())
    }
}

fn member_shape(reference: &Value) -> Result<&str> {
    Ok(reference["shape"]
        .as_str()
        .ok_or("a member without shape")?)
}
