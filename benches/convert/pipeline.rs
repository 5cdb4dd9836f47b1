//! What the program does with an input, without its files.

use serde::Serialize;
use serde_json::Value;

/// Converts the documents of `text` and prints their objects.
pub fn convert(text: &str) -> String {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    documents
        .filter_map(Result::ok)
        .map(|document| print(&document))
        .collect()
}

/// Prints one object.
pub fn print(object: &impl Serialize) -> String {
    let text = serde_saphyr::to_string(object).expect("objects can be printed");
    format!("---\n{text}")
}
