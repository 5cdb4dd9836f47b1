//! Objects of Kubernetes in files.

use serde_json::Value;

use crate::source::SourceText;

/// The most documents in one file.
const MOST_DOCUMENTS: usize = 200_000;
/// The most values in one file.
const MOST_NODES: usize = 50_000_000;

/// Returns the documents of a file.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn documents(text: &SourceText) -> Result<Vec<Value>, String> {
    // A text around an error could be that of a Secret.
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_documents: MOST_DOCUMENTS,
            max_nodes: MOST_NODES,
            max_events: MOST_NODES,
        },
    };
    serde_saphyr::from_multiple_with_options(text.text(), options)
        .map_err(|error| format!("cannot read {}: {error}", text.name()))
}
