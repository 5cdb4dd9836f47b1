//! What starts a deployment of an App Runner service besides an edit: the annotation `start-deployment`, and a push.
//!
//! Both are the text whose change begins a deployment of the EcsService. A push adds the digest that it has found to the
//! value of the annotation, so that it starts one deployment, also if that fails and the tag still names what failed.

/// What every digest of an image begins with.
const DIGEST: &str = "sha256:";

/// The text whose change begins a deployment, and the digest in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// The text; `None` if nothing was ever started.
    pub(super) text: Option<String>,
    /// The digest that a push has added.
    pub(super) pushed: Option<String>,
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
            let parts = [annotation.unwrap_or_default(), digest];
            return Self {
                text: Some(parts.join(" ").trim().to_owned()),
                pushed: Some(digest.to_owned()),
            };
        }
        let digest = live.and_then(|live| added(annotation, live));
        // A start that is over must not become another one because its annotation is gone.
        let stays = digest.is_some() || annotation.is_none();
        let text = if stays { live } else { annotation };
        Self {
            text: text.map(str::to_owned),
            pushed: digest.map(str::to_owned),
        }
    }

    /// Whether a deployment for this digest has begun already.
    pub(super) fn is_for(&self, digest: &str) -> bool {
        self.pushed.as_deref() == Some(digest)
    }
}

/// Returns the digest that a push has added to the value of the annotation. If there is no annotation, it may have been
/// removed since.
fn added<'t>(annotation: Option<&str>, live: &'t str) -> Option<&'t str> {
    let digest = match annotation {
        Some(value) => live.strip_prefix(value)?.strip_prefix(' ')?,
        None => live.rsplit(' ').next()?,
    };
    digest.starts_with(DIGEST).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_and_a_push_start_one_deployment_each() {
        let (first, second) = ("sha256:0a", "sha256:0b");
        let table = [
            // annotation, live, pushed; text, digest
            (None, None, None, None, None),
            (Some("a"), None, None, Some("a"), None),
            (Some("a"), Some("a"), None, Some("a"), None),
            (Some("b"), Some("a"), None, Some("b"), None),
            (None, Some("a"), None, Some("a"), None),
            // A push adds its digest, which stays.
            (None, None, Some(first), Some("sha256:0a"), Some(first)),
            (
                None,
                Some("sha256:0a"),
                None,
                Some("sha256:0a"),
                Some(first),
            ),
            (
                None,
                Some("sha256:0a"),
                Some(second),
                Some("sha256:0b"),
                Some(second),
            ),
            (
                Some("a"),
                Some("a"),
                Some(first),
                Some("a sha256:0a"),
                Some(first),
            ),
            (
                Some("a"),
                Some("a sha256:0a"),
                None,
                Some("a sha256:0a"),
                Some(first),
            ),
            // Another value of the annotation starts a deployment of what the tag names then.
            (Some("b"), Some("a sha256:0a"), None, Some("b"), None),
            // Removing it starts none.
            (
                None,
                Some("a sha256:0a"),
                None,
                Some("a sha256:0a"),
                Some(first),
            ),
            // An empty value is no value.
            (Some(""), Some("a"), None, Some("a"), None),
        ];
        for (annotation, live, pushed, text, digest) in table {
            let found = Start::wanted(annotation, live, pushed);
            let expected = Start {
                text: text.map(str::to_owned),
                pushed: digest.map(str::to_owned),
            };
            assert_eq!(found, expected, "{annotation:?} {live:?} {pushed:?}");
            // It starts one deployment.
            let again = Start::wanted(annotation, found.text.as_deref(), None);
            assert_eq!(again, found, "{annotation:?} {live:?} {pushed:?}");
        }
    }
}
