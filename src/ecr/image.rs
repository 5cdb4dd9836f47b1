//! The images of a repository, as `DescribeImages` lists them
//! (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html>).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de::Error as _};

/// A repository with its images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// The AWS account.
    pub account: String,
    /// The name, such as `shop/web`.
    pub name: String,
    /// Its images.
    pub images: Vec<RepositoryImage>,
}

/// An image of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryImage {
    /// The digest, such as `sha256:0a1b`.
    pub digest: String,
    /// The tags; none if it is untagged.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// When it was pulled last, as far as ECR has recorded that.
    pub pulled_at: Option<Timestamp>,
    /// When it was archived last.
    pub archived_at: Option<Timestamp>,
    /// Where it is stored.
    pub storage_class: StorageClass,
}

/// Where an image is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StorageClass {
    /// It can be pulled.
    #[default]
    Standard,
    /// It has to be restored before it can be pulled.
    Archive,
}

/// The members of an answer that matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    image_details: Vec<Detail>,
    /// Where the next page begins. The command line of AWS writes it with a capital letter.
    #[serde(default, alias = "NextToken")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    registry_id: String,
    repository_name: String,
    image_digest: String,
    #[serde(default)]
    image_tags: Option<Vec<String>>,
    #[serde(deserialize_with = "time")]
    image_pushed_at: Timestamp,
    #[serde(default, deserialize_with = "optional_time")]
    last_recorded_pull_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "optional_time")]
    last_archived_at: Option<Timestamp>,
    #[serde(default)]
    image_status: Option<String>,
}

/// A time: text from the second version of the command line of AWS, seconds since 1970 from the API and the first one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Text(String),
    Seconds(f64),
}

impl Time {
    fn timestamp(self) -> Result<Timestamp, jiff::Error> {
        match self {
            Self::Text(text) => text.parse(),
            Self::Seconds(seconds) => {
                let since = SignedDuration::try_from_secs_f64(seconds)?;
                Timestamp::from_duration(since)
            }
        }
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let time = Time::deserialize(from)?;
    time.timestamp().map_err(D::Error::custom)
}

fn optional_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let time = Option::<Time>::deserialize(from)?.map(Time::timestamp);
    time.transpose().map_err(D::Error::custom)
}

impl Repository {
    /// Reads all pages of the answer of `aws ecr describe-images` about one repository. `None` if it has no image.
    ///
    /// # Errors
    ///
    /// What is wrong with them: the number of the page, and why.
    pub fn read<'t>(
        pages: impl IntoIterator<Item = &'t str>,
    ) -> Result<Option<Self>, (usize, String)> {
        let mut repository: Option<Self> = None;
        for (number, page) in pages.into_iter().enumerate() {
            let wrong = |why: String| (number, why);
            let answer: Answer =
                serde_json::from_str(page).map_err(|error| wrong(error.to_string()))?;
            if answer.next_token.is_some() {
                let why = "it is only a page of the images: give the whole answer, without --max-items and --max-results";
                return Err(wrong(why.to_owned()));
            }
            for detail in answer.image_details {
                let whole = repository.get_or_insert_with(|| Self {
                    account: detail.registry_id.clone(),
                    name: detail.repository_name.clone(),
                    images: Vec::new(),
                });
                if (&whole.account, &whole.name) != (&detail.registry_id, &detail.repository_name) {
                    let why = format!(
                        "it has images of {}/{} and of {}/{}: give those of one repository",
                        whole.account, whole.name, detail.registry_id, detail.repository_name
                    );
                    return Err(wrong(why));
                }
                whole.images.push(detail.into());
            }
        }
        Ok(repository)
    }
}

impl From<Detail> for RepositoryImage {
    fn from(detail: Detail) -> Self {
        Self {
            digest: detail.image_digest,
            tags: detail.image_tags.unwrap_or_default(),
            pushed_at: detail.image_pushed_at,
            pulled_at: detail.last_recorded_pull_time,
            archived_at: detail.last_archived_at,
            // One that is being restored is not there yet, and what comes next is decided for the class that it has then.
            storage_class: match detail.image_status.as_deref() {
                Some("ARCHIVED") => StorageClass::Archive,
                _ => StorageClass::Standard,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(more: &str) -> String {
        format!(
            r#"{{"imageDetails": [{{"registryId": "123456789012", "repositoryName": "web", "imageDigest": "sha256:0a", {more}}}]}}"#
        )
    }

    #[test]
    fn both_versions_of_the_command_line_are_read() {
        let text = image(
            r#""imageTags": ["1"], "imagePushedAt": "2026-01-16T12:00:00.500000+02:00",
               "lastRecordedPullTime": "2026-01-17T10:00:00Z", "imageStatus": "ACTIVE""#,
        );
        let number = image(r#""imagePushedAt": 1768557600.5, "imageStatus": "ARCHIVED""#);
        let pages = [text.as_str(), r#"{"imageDetails": []}"#, number.as_str()];
        let repository = Repository::read(pages).expect("it is read");
        let repository = repository.expect("it has images");
        assert_eq!(
            (&*repository.account, &*repository.name),
            ("123456789012", "web")
        );
        let [one, other] = repository.images.as_slice() else {
            panic!("{repository:?}");
        };
        assert_eq!(one.pushed_at, other.pushed_at);
        assert_eq!((one.tags.len(), other.tags.len()), (1, 0));
        assert!(one.pulled_at.is_some() && other.pulled_at.is_none());
        assert_eq!(one.storage_class, StorageClass::Standard);
        assert_eq!(other.storage_class, StorageClass::Archive);
    }

    #[test]
    fn what_is_not_the_whole_answer_about_one_repository_is_refused() {
        let whole = image(r#""imagePushedAt": 1"#);
        let other = whole.replace("\"web\"", "\"api\"");
        let page = whole.replace("]}", r#"], "NextToken": "abc"}"#);
        let later = image(r#""imagePushedAt": 1e300"#);
        let odd = image(r#""imagePushedAt": "yesterday""#);
        for (pages, number, why) in [
            (
                vec![&*whole, &*other],
                1,
                "123456789012/web and of 123456789012/api",
            ),
            (vec![&*page], 0, "only a page"),
            (vec![&*whole, "[]"], 1, ""),
            (vec![&*later], 0, ""),
            (vec![&*odd], 0, "year"),
            (
                vec![r#"{"imageDetails": [{"imageDigest": "a"}]}"#],
                0,
                "registryId",
            ),
        ] {
            let (found, said) = Repository::read(pages).expect_err("it is wrong");
            assert!(
                found == number && said.contains(why),
                "{number} {why}: {said}"
            );
        }
        assert_eq!(Repository::read([r#"{"imageDetails": []}"#]), Ok(None));
    }
}
