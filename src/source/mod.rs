//! Reads files into documents.

mod json;
mod kind;
mod placeholder;
mod text;
mod tree;
mod yaml;

pub use kind::{Form, Kind};
pub use placeholder::Fill;
pub use text::{Position, SourceText, Span};
pub use tree::{Member, Node, Value};
