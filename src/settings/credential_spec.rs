//! The credential specs of Active Directory accounts.

use super::is_subdomain;

/// Parses `LOCATION=NAME`: where ECS finds a credential spec, and the GMSACredentialSpec that was made from it.
#[must_use]
pub fn parse_credential_spec(text: &str) -> Option<(String, String)> {
    // The key of an object in S3 may contain '=', the name of an object may not.
    let (location, name) = text.rsplit_once('=')?;
    let is_place = location.starts_with("arn:") || location.starts_with("file://");
    (is_place && is_subdomain(name)).then(|| (location.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_spec_is_a_location_and_the_name_of_an_object() {
        for (text, location, name) in [
            (
                "arn:aws:s3:::specs/a=b.json=web",
                "arn:aws:s3:::specs/a=b.json",
                "web",
            ),
            (
                "arn:aws:ssm:eu-west-1:123456789012:parameter/web=web.shop-1",
                "arn:aws:ssm:eu-west-1:123456789012:parameter/web",
                "web.shop-1",
            ),
            ("file://web.json=web", "file://web.json", "web"),
        ] {
            let expected = Some((location.to_owned(), name.to_owned()));
            assert_eq!(parse_credential_spec(text), expected, "{text}");
        }
        for text in [
            "",
            "arn:aws:s3:::specs/web.json",
            "arn:aws:s3:::specs/web.json=",
            "arn:aws:s3:::specs/web.json=Web",
            "arn:aws:s3:::specs/web.json=web_1",
            "web.json=web",
            "credentialspec:arn:aws:s3:::specs/web.json=web",
            "=web",
        ] {
            assert_eq!(parse_credential_spec(text), None, "{text}");
        }
    }
}
