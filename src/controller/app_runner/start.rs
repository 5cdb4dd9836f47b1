//! What starts a deployment of an App Runner service besides an edit: the annotation `start-deployment`, and a push.
//!
//! Both are the text whose change begins a deployment of the EcsService. A push adds the digest that it has found to the
//! value of the annotation, so that an operator that ends in between begins no other.

/// What every digest of an image begins with.
const DIGEST: &str = "sha256:";
/// What is added where the text has the same digest already, because something else was deployed since.
const AGAIN: &str = " again";

/// The text whose change begins a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// The text; `None` if nothing was ever started.
    pub(super) text: Option<String>,
    /// Whether a push has added to it.
    pub(super) is_of_push: bool,
}

impl Start {
    /// Returns what is wanted. `annotation` is the value of the annotation, `live` the text of the EcsService that exists,
    /// and `pushed` a digest that a deployment is to begin for.
    pub(super) fn wanted(
        annotation: Option<&str>,
        live: Option<&str>,
        pushed: Option<&str>,
    ) -> Self {
        let annotation = annotation.filter(|value| !value.is_empty());
        if let Some(digest) = pushed {
            let text = match annotation {
                Some(value) => format!("{value} {digest}"),
                None => digest.to_owned(),
            };
            let is_there = live == Some(text.as_str());
            return Self {
                text: Some(if is_there { text + AGAIN } else { text }),
                is_of_push: true,
            };
        }
        let is_of_push = live.is_some_and(|live| has_digest(annotation, live));
        // A start that is over must not become another one because its annotation is gone.
        let stays = is_of_push || annotation.is_none();
        let text = if stays { live } else { annotation };
        Self {
            text: text.map(str::to_owned),
            is_of_push,
        }
    }
}

/// Whether a push has added a digest to the value of the annotation. If there is no annotation, it may have been removed
/// since.
fn has_digest(annotation: Option<&str>, live: &str) -> bool {
    let added = match annotation {
        Some(value) => live
            .strip_prefix(value)
            .and_then(|rest| rest.strip_prefix(' ')),
        None => live.trim_end_matches(AGAIN).rsplit(' ').next(),
    };
    added.is_some_and(|added| added.starts_with(DIGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_and_a_push_start_one_deployment_each() {
        let (first, second) = ("sha256:0a", "sha256:0b");
        let table = [
            // annotation, live, pushed; text, of a push
            (None, None, None, None, false),
            (Some("a"), None, None, Some("a"), false),
            (Some("a"), Some("a"), None, Some("a"), false),
            (Some("b"), Some("a"), None, Some("b"), false),
            (None, Some("a"), None, Some("a"), false),
            // A push adds its digest, which stays.
            (None, None, Some(first), Some("sha256:0a"), true),
            (None, Some("sha256:0a"), None, Some("sha256:0a"), true),
            (
                None,
                Some("sha256:0a"),
                Some(second),
                Some("sha256:0b"),
                true,
            ),
            (Some("a"), Some("a"), Some(first), Some("a sha256:0a"), true),
            (
                Some("a"),
                Some("a sha256:0a"),
                None,
                Some("a sha256:0a"),
                true,
            ),
            // Whatever the value is.
            (
                Some(" a "),
                Some(" a "),
                Some(first),
                Some(" a  sha256:0a"),
                true,
            ),
            // Something else was deployed since.
            (
                Some("a"),
                Some("a sha256:0a"),
                Some(first),
                Some("a sha256:0a again"),
                true,
            ),
            (
                Some("a"),
                Some("a sha256:0a again"),
                Some(first),
                Some("a sha256:0a"),
                true,
            ),
            (
                None,
                Some("sha256:0a"),
                Some(first),
                Some("sha256:0a again"),
                true,
            ),
            // Another value of the annotation starts a deployment of what the tag names then.
            (Some("b"), Some("a sha256:0a"), None, Some("b"), false),
            // Removing it starts none.
            (None, Some("a sha256:0a"), None, Some("a sha256:0a"), true),
            // An empty value is no value.
            (Some(""), Some("a"), None, Some("a"), false),
        ];
        for (annotation, live, pushed, text, is_of_push) in table {
            let found = Start::wanted(annotation, live, pushed);
            let expected = Start {
                text: text.map(str::to_owned),
                is_of_push,
            };
            assert_eq!(found, expected, "{annotation:?} {live:?} {pushed:?}");
            // It starts one deployment.
            let again = Start::wanted(annotation, found.text.as_deref(), None);
            assert_eq!(again, found, "{annotation:?} {live:?} {pushed:?}");
        }
    }
}
