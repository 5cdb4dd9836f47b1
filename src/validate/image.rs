//! References to images.

use super::has_placeholder;
use crate::{image::is_registry, settings::is_bounded};

/// Returns why no registry can have an image of this name; `None` if one can, or if a placeholder is open
/// (<https://github.com/distribution/reference/blob/main/reference.go>).
pub(crate) fn unpullable(image: &str) -> Option<&'static str> {
    if has_placeholder(image) {
        return None;
    }
    if image.contains("://") {
        return Some("a reference has no scheme");
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._/:@+".contains(c);
    if !image.chars().all(is_allowed) {
        return Some("it may have only letters, digits and - . _ / : @");
    }
    let (name, digest) = image
        .split_once('@')
        .map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let colon = name.get(last..).and_then(|part| part.find(':'));
    let (repository, tag) = match colon.and_then(|colon| name.split_at_checked(last + colon)) {
        Some((repository, tag)) => (repository, tag.strip_prefix(':')),
        None => (name, None),
    };
    if digest.is_some_and(|digest| !digest.contains(':')) {
        return Some("a digest is algorithm:value, such as sha256:0a1b");
    }
    if tag.is_some_and(|tag| tag.is_empty() || tag.contains(':') || tag.len() > 128) {
        return Some("a tag is one word of at most 128 characters");
    }
    let mut parts = repository.split('/').peekable();
    // Without a dot or a port, the first part belongs to the repository.
    if repository.contains('/') {
        parts.next_if(|part| is_registry(part));
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut parts = parts.map(|part| is_bounded(part, plain, b"-._"));
    (!parts.all(|fits| fits))
        .then_some("the name of a repository is in lower case, and its parts begin and end with a letter or digit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_images_cannot_be_pulled() {
        for image in [
            "nginx",
            "nginx:1.27",
            "library/nginx:latest",
            "localhost/a",
            "registry.Example.com:5000/team/my__app-1.2:v1_2.3-b",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web@sha256:0a1b",
            "nginx:1.27@sha256:0a1b",
            "repo/web:${TAG}",
            "<IMAGE>",
            "{{ must_env `IMAGE` }}:{{ must_env `TAG` }}",
        ] {
            assert_eq!(unpullable(image), None, "{image}");
        }
        for image in [
            "repo/web:$TAG",
            "https://example.com/web:1",
            "repo/Web:1",
            "nginx:latest:1",
            "repo/web:",
            "nginx ",
            "example.com/",
            "/web",
            "web@0a1b",
            "ngInx",
            "web-",
            "",
        ] {
            assert!(unpullable(image).is_some(), "{image}");
        }
    }
}
