//! Reads files into documents.

mod catalog;
mod de;
mod document;
mod entry;
mod json;
mod kind;
mod leaf;
mod link;
mod load;
mod placeholder;
mod read;
mod reference;
mod request;
mod sink;
mod spelling;
mod syntax;
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
pub use text::{Position, SourceText, Span};
pub use tree::{Member, Node, Value};
pub use unit::{Content, Unit};
