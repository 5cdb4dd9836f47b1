//! Reads files into documents with positions, and groups them into requests that belong together ([`crate::input`]).
//!
//! The input is read twice. The first reading ([`Catalog::read`]) processes one file at a time, recognizes each
//! document ([`Form`]) and keeps its position and the names that link it to others: a few hundred bytes per document,
//! whatever its size. Then the documents are linked: a service with its task definition and its scaling requests, a
//! task with its task definition, and a task definition that nothing runs with an assumed service. The second reading
//! ([`Catalog::into_units`]) returns these [`Unit`]s one after the other and parses only their documents again, so that
//! a folder of a hundred thousand documents needs no more memory than their names.
//!
//! A document goes through these steps: text → tree with positions (`json`, `yaml`) → recognized kind (`kind`) →
//! request without its envelope (`request`) → values along the shape of the request (`walk`, `leaf`) → [`crate::ecs`]
//! (`de`).
//!
//! - JSON is strict, YAML is version 1.2. A file with a syntax error results in one [`Problem`] and no documents.
//! - Placeholders are filled with the values of `--set` before texts are parsed as numbers, also outside quotes. Other
//!   placeholders are kept in free text, with a note, and are errors anywhere else.
//! - CloudFormation's spelling is converted to API names, so that every path has the spelling of the API;
//!   [`Unit::point_at`] nevertheless finds the position in the document.
//! - An invalid value is reported and left out. [`Unit::left_out`] contains the paths of these values: validation errors
//!   of such a unit may only be consequences.
//!
//! ```
//! use ecs_operator::source::{Catalog, Content, Fill, SourceText};
//!
//! let text = r#"{"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx", "cpus": 1}]}"#;
//! let mut problems = Vec::new();
//! let texts = [SourceText::new("web.json", text)];
//! let catalog = Catalog::of_texts(texts, Fill::new(), &mut |problem| problems.push(problem));
//! assert!(problems.is_empty());
//! for unit in catalog.into_units() {
//!     let unit = unit.expect("a text in memory does not change");
//!     assert!(matches!(unit.content, Content::Service(_)));
//!     let unknown = unit.diagnostics.iter().next().expect("cpus is no member");
//!     assert_eq!(unknown.message.help(), "did you mean cpu?");
//!     let (source, span) = unit.point_at(unknown).expect("it stands in the file");
//!     assert_eq!(source.slice(span), "\"cpus\"");
//!     assert_eq!(source.position(span.start).column, 78);
//! }
//! ```

mod alarm;
mod app_runner;
mod app_runner_file;
mod auto_scaling;
mod border;
mod built_by;
mod catalog;
mod cloud_formation;
mod cluster_strategy;
mod compose;
mod configured;
mod container_list;
mod copilot;
mod custom_domains;
mod de;
mod deployment;
mod deregistration;
mod document;
mod ecspresso;
mod entry;
mod envelope;
mod expand;
mod family;
mod home;
mod index;
mod json;
mod jsonnet;
mod kind;
mod leaf;
mod link;
mod load;
mod load_starters;
mod manifest;
mod native;
mod offsets;
mod placeholder;
mod read;
mod reference;
mod registration;
mod request;
mod schedule;
mod sink;
mod spec;
mod spelling;
mod syntax;
mod terraform;
#[cfg(test)]
mod testing;
mod text;
mod token;
mod tree;
mod unit;
mod values;
mod walk;
mod yaml;

/// Reads a text as one document of YAML or JSON, by the extension of its name; none if it is empty. An error is what is
/// wrong, and where.
pub(crate) fn read_tree(source: &SourceText) -> Result<Option<Node<'_>>, (Span, String)> {
    syntax::parse_one(source.name(), source.text()).map_err(|error| (error.span, error.message))
}

/// Reads the values of variables in a text of Terraform, as `terraform.tfvars` has them. An error is what is wrong, and
/// where.
pub(crate) fn read_variables(source: &SourceText) -> Result<Vec<(String, String)>, (Span, String)> {
    let found = terraform::configuration::variables(source.text());
    found.map_err(|error| (error.span, error.message))
}

pub use catalog::Catalog;
pub use container_list::Images;
pub use document::{Document, Location};
pub use kind::{Form, Kind};
pub use placeholder::{Fill, open_placeholders, parse_fill};
pub use read::{Problem, WRITTEN, texts};
pub use spec::{
    read_app_runner_service, read_capacity_provider, read_cluster, read_pipe, read_rule,
    read_schedule, read_service, read_task, read_task_definition,
};
pub use text::{Position, SourceText, Span};
pub use tree::{Member, Node, Value};
pub use unit::{Content, Unit};
pub use values::Values;
