//! Determines whether a text is JSON or YAML, and iterates over its documents.

use super::{
    json::JsonDocuments,
    jsonnet::{is_jsonnet, is_library},
    terraform::configuration::{check, is_json, is_source},
    text::Span,
    tree::{Node, Parsed, SyntaxError, Value},
    yaml::YamlDocuments,
};

/// The documents of a text.
pub(super) enum Documents<'a> {
    Json(Box<JsonDocuments<'a>>),
    Yaml(Box<YamlDocuments<'a>>),
    /// A file of a configuration of Terraform, which is a part of a whole, once its syntax is checked.
    Configuration {
        text: Option<&'a str>,
        is_json: bool,
    },
    /// A file of Jsonnet, which is evaluated where it is expanded.
    Program(Option<&'a str>),
    /// A part of such a file.
    Library,
}

impl<'a> Documents<'a> {
    /// Returns the documents of a text, which is YAML according to its file name, or according to its first character
    /// if the name does not tell.
    pub(super) fn new(name: &str, text: &'a str) -> Self {
        if is_source(name) {
            Self::Configuration {
                text: Some(text),
                is_json: is_json(name),
            }
        } else if is_jsonnet(name) {
            Self::Program(Some(text))
        } else if is_library(name) {
            Self::Library
        } else if is_yaml(name, text) {
            Self::Yaml(Box::new(YamlDocuments::new(text)))
        } else {
            Self::Json(Box::new(JsonDocuments::new(text)))
        }
    }

    pub(super) fn next_document(&mut self) -> Result<Option<Parsed<'a>>, SyntaxError> {
        match self {
            Self::Json(documents) => documents.next_document(),
            Self::Yaml(documents) => documents.next_document(),
            Self::Configuration { text, is_json } => {
                let text = text.take();
                text.map(|text| of_configuration(text, *is_json))
                    .transpose()
            }
            Self::Program(text) => Ok(text.take().map(whole)),
            Self::Library => Err(SyntaxError::new(
                Span::default(),
                "this is a library of Jsonnet: give the file that imports it",
            )),
        }
    }

    /// Whether an element of a document can be parsed alone. In YAML, its indentation depends on what surrounds it.
    pub(super) const fn elements_stand_alone(&self) -> bool {
        matches!(self, Self::Json(_))
    }
}

/// Returns the text as the only value, which the configuration stands for.
fn of_configuration(text: &str, is_json: bool) -> Result<Parsed<'_>, SyntaxError> {
    check(text, is_json)?;
    Ok(whole(text))
}

/// Returns a text as the only value of its file.
fn whole(text: &str) -> Parsed<'_> {
    let slice = Span::new(0, text.len());
    let value = Value::String(text.into());
    let root = Node { value, span: slice };
    Parsed { root, slice }
}

/// Parses the first document of a text.
pub(super) fn parse_one<'a>(name: &str, text: &'a str) -> Result<Option<Node<'a>>, SyntaxError> {
    let parsed = Documents::new(name, text).next_document()?;
    Ok(parsed.map(|parsed| parsed.root))
}

fn is_yaml(name: &str, text: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    match extension {
        Some(extension) if extension.eq_ignore_ascii_case("json") => false,
        Some(extension)
            if extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml") =>
        {
            true
        }
        _ => !text.trim_start().starts_with(['{', '[', '"', '/', '<']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_and_then_the_text() {
        for (name, text, expected) in [
            ("a.json", "a: 1", false),
            ("a.yaml", "{}", true),
            ("a.YML", "{}", true),
            ("<stdin>", "  {\"a\": 1}", false),
            ("<stdin>", "// x\n{}", false),
            ("<stdin>", "apiVersion: v1", true),
            ("taskdef.json.tpl", "[]", false),
        ] {
            assert_eq!(is_yaml(name, text), expected, "{name} {text}");
        }
    }
}
