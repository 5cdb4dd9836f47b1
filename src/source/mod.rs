//! Files → documents with positions → requests that belong together ([`crate::input`]).
//!
//! The input is read twice. The first reading ([`Catalog::read`]) looks at one file at a time, finds out what each
//! document is ([`Form`]) and remembers its place and the names that link it to others: a few hundred bytes a document,
//! whatever is in it. Then the documents are linked: a service with its task definition and its scaling requests, a
//! task with its task definition, a task definition that nothing runs with a service that is assumed. The second
//! reading ([`Catalog::into_units`]) gives these [`Unit`]s one after the other and reads only their documents again, so
//! that a folder of a hundred thousand needs no more memory than their names.
//!
//! A document goes through these steps: text → tree with positions (`json`, `yaml`) → what it is (`kind`) → out of
//! its envelope (`request`) → along the shape of its request (`walk`, `leaf`) → [`crate::ecs`] (`de`).
//!
//! - JSON is strict, YAML is 1.2. A file with a syntax error gives one [`Problem`] and no documents.
//! - Placeholders that `--set` names are filled in the texts, before a text becomes a number, and also where they
//!   stand outside quotes. One that is left is kept in free text and noted, and is an error anywhere else.
//! - CloudFormation's spelling is read by the API's names, so that every path is spelled as the API spells it;
//!   [`Unit::point_at`] finds the place in the document nevertheless.
//! - A value that is wrong is reported and left out. [`Unit::left_out`] tells where that happened: what validation says
//!   about such a unit may only be a consequence.
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

mod catalog;
mod de;
mod deployment;
mod document;
mod entry;
mod envelope;
mod home;
mod json;
mod kind;
mod leaf;
mod link;
mod load;
mod offsets;
mod placeholder;
mod read;
mod reference;
mod registration;
mod request;
mod sink;
mod spec;
mod spelling;
mod syntax;
#[cfg(test)]
mod testing;
mod text;
mod tree;
mod unit;
mod walk;
mod yaml;

pub use catalog::Catalog;
pub use document::{Document, Location};
pub use kind::{Form, Kind};
pub use placeholder::Fill;
pub use read::Problem;
pub use spec::{read_cluster, read_service, read_task, read_task_definition};
pub use text::{Position, SourceText, Span};
pub use tree::{Member, Node, Value};
pub use unit::{Content, Unit};
