//! The runtimes of App Runner, and images that have the same language.
//!
//! App Runner's own images are not published. These are the images of the languages themselves, in ECR Public.

use super::{Level, read::Reader};
use crate::source::Node;

/// A runtime of App Runner (<https://docs.aws.amazon.com/apprunner/latest/dg/service-source-code.html>).
#[derive(Debug)]
pub(super) struct Runtime {
    /// Its name in `apprunner.yaml`.
    name: &'static str,
    /// Its name in requests.
    in_requests: &'static str,
    /// The image without its tag.
    pub(super) image: &'static str,
    /// The tag without `runtime-version`.
    tag: &'static str,
    /// What follows the version in a tag; none if tags have another version.
    suffix: Option<&'static str>,
    /// Whether it is of Amazon Linux, as App Runner's are.
    pub(super) has_yum: bool,
}

const fn runtime(
    names: (&'static str, &'static str),
    image: &'static str,
    tag: &'static str,
    suffix: Option<&'static str>,
) -> Runtime {
    Runtime {
        name: names.0,
        in_requests: names.1,
        image,
        tag,
        suffix,
        has_yum: false,
    }
}

const PYTHON: &str = "public.ecr.aws/docker/library/python";
const NODE: &str = "public.ecr.aws/docker/library/node";

const RUNTIMES: &[Runtime] = &[
    runtime(("python3", "PYTHON_3"), PYTHON, "3.8", Some("")),
    runtime(("python311", "PYTHON_311"), PYTHON, "3.11", Some("")),
    runtime(("nodejs12", "NODEJS_12"), NODE, "12", Some("")),
    runtime(("nodejs14", "NODEJS_14"), NODE, "14", Some("")),
    runtime(("nodejs16", "NODEJS_16"), NODE, "16", Some("")),
    runtime(("nodejs18", "NODEJS_18"), NODE, "18", Some("")),
    runtime(("nodejs22", "NODEJS_22"), NODE, "22", Some("")),
    // With Maven, which App Runner has too. Its tags have the version of Maven.
    Runtime {
        has_yum: true,
        ..runtime(
            ("corretto8", "CORRETTO_8"),
            "public.ecr.aws/docker/library/maven",
            "3-amazoncorretto-8",
            None,
        )
    },
    Runtime {
        has_yum: true,
        ..runtime(
            ("corretto11", "CORRETTO_11"),
            "public.ecr.aws/docker/library/maven",
            "3-amazoncorretto-11",
            None,
        )
    },
    runtime(
        ("go1", "GO_1"),
        "public.ecr.aws/docker/library/golang",
        "1.18",
        Some(""),
    ),
    runtime(
        ("dotnet6", "DOTNET_6"),
        "mcr.microsoft.com/dotnet/sdk",
        "6.0",
        None,
    ),
    runtime(
        ("php81", "PHP_81"),
        "public.ecr.aws/docker/library/php",
        "8.1-cli",
        Some("-cli"),
    ),
    runtime(
        ("ruby31", "RUBY_31"),
        "public.ecr.aws/docker/library/ruby",
        "3.1",
        Some(""),
    ),
];

/// Returns the runtime that a value names.
pub(super) fn named(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<&'static Runtime> {
    let name = reader.text(node, "the runtime")?;
    let mut runtimes = RUNTIMES.iter();
    let found = runtimes.find(|it| it.name == name || it.in_requests == name);
    if found.is_none() {
        let known: Vec<&str> = RUNTIMES.iter().map(|it| it.name).collect();
        let known = known.join(", ");
        reader.error(node, format!("there is no runtime {name:?}, only {known}"));
    }
    found
}

/// Returns the image to begin with: `base`, or that of the runtime in the version of `version`.
pub(super) fn image(
    runtime: Option<&Runtime>,
    version: Option<&Node<'_>>,
    base: Option<&str>,
    reader: &mut Reader<'_>,
) -> String {
    let given = version.and_then(|node| Some((node, reader.text(node, "run.runtime-version")?)));
    if let Some(base) = base {
        return base.to_owned();
    }
    let Some(runtime) = runtime else {
        return String::new();
    };
    let Some((node, version)) = given else {
        return format!("{}:{}", runtime.image, runtime.tag);
    };
    let is_version = |c: char| c.is_ascii_alphanumeric() || c == '.';
    if version.is_empty() || !version.chars().all(is_version) {
        reader.error(node, format!("{version:?} is no version"));
        return String::new();
    }
    match runtime.suffix {
        Some(suffix) => format!("{}:{version}{suffix}", runtime.image),
        None => {
            let text = format!(
                "{} has no tag for version {version}, so {} is used: choose another image with --from",
                runtime.image, runtime.tag
            );
            reader.report(node.span, Level::Warning, text);
            format!("{}:{}", runtime.image, runtime.tag)
        }
    }
}
