//! Reads files into documents.

mod de;
mod document;
mod entry;
mod json;
mod kind;
mod link;
mod placeholder;
mod read;
mod reference;
mod spelling;
mod syntax;
mod text;
mod tree;
mod yaml;

pub use document::{Document, Location};
pub use kind::{Form, Kind};
pub use placeholder::Fill;
pub use read::Problem;
pub use text::{Position, SourceText, Span};
pub use tree::{Member, Node, Value};
