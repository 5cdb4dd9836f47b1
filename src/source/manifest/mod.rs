//! What the manifests of AWS Copilot and the files of Docker Compose have in common: members that are taken one by one, so
//! that the rest can be named, and requests that are made of them. What makes nodes is for templates too.

mod object;
mod report;
mod section;
mod time;
mod words;

pub(in crate::source) use object::{Object, boolean, list, number, text, whole};
pub(in crate::source) use report::Report;
pub(in crate::source) use section::{Section, is_true, plain_text};
pub(in crate::source) use time::seconds;
pub(in crate::source) use words::words;
